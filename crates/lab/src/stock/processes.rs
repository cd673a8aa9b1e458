//! The processes of an ordinary machine.

use crate::plan::Process;
use crate::random::Random;

/// Name, how many of it, session, threads, pages of commitment (about).
type Programs = (&'static str, u32, Option<u32>, u32, u64);

const PROGRAMS: [Programs; 40] = [
    ("Registry", 1, None, 4, 1_620),
    ("smss.exe", 1, None, 2, 260),
    ("csrss.exe", 1, Some(0), 11, 490),
    ("wininit.exe", 1, Some(0), 1, 330),
    ("csrss.exe", 1, Some(1), 13, 620),
    ("winlogon.exe", 1, Some(1), 5, 680),
    ("services.exe", 1, Some(0), 8, 1_390),
    ("lsass.exe", 1, Some(0), 10, 2_030),
    ("fontdrvhost.exe", 1, Some(0), 5, 380),
    ("fontdrvhost.exe", 1, Some(1), 5, 890),
    ("svchost.exe", 57, Some(0), 7, 1_150),
    ("svchost.exe", 5, Some(1), 6, 1_420),
    ("dwm.exe", 1, Some(1), 17, 15_200),
    ("igfxCUIService.exe", 1, Some(0), 3, 430),
    ("RtkAudUService64.exe", 2, Some(1), 4, 620),
    ("MemCompression", 1, None, 26, 60),
    ("spoolsv.exe", 1, Some(0), 8, 1_540),
    ("ZhuDongFangYu.exe", 1, Some(0), 38, 9_840),
    ("WmiPrvSE.exe", 1, Some(0), 8, 2_510),
    ("SearchIndexer.exe", 1, Some(0), 14, 6_300),
    ("dllhost.exe", 1, Some(0), 10, 980),
    ("sihost.exe", 1, Some(1), 10, 1_480),
    ("taskhostw.exe", 1, Some(1), 9, 1_650),
    ("explorer.exe", 1, Some(1), 66, 15_300),
    ("ctfmon.exe", 1, Some(1), 11, 1_480),
    ("StartMenuExperienceHost.exe", 1, Some(1), 9, 5_260),
    ("RuntimeBroker.exe", 4, Some(1), 4, 1_370),
    ("SearchApp.exe", 1, Some(1), 29, 18_900),
    ("TextInputHost.exe", 1, Some(1), 10, 2_860),
    ("360Tray.exe", 1, Some(1), 91, 16_500),
    ("ChsIME.exe", 1, Some(1), 4, 1_190),
    ("SecurityHealthSystray.exe", 1, Some(1), 2, 470),
    ("WeChat.exe", 1, Some(1), 62, 21_700),
    ("chrome.exe", 9, Some(1), 16, 5_900),
    ("cmd.exe", 1, Some(1), 1, 540),
    ("conhost.exe", 1, Some(1), 4, 1_720),
    ("poolmon.exe", 1, Some(1), 1, 350),
    ("Taskmgr.exe", 1, Some(1), 17, 5_700),
    ("notmyfault64.exe", 1, Some(1), 4, 610),
    ("audiodg.exe", 1, Some(0), 6, 2_600),
];

/// All processes: System first, then in the order of their start. Their commitment and their threads are, to the page
/// and to the thread, what is asked for; a browser and System take what is left.
pub(crate) fn all(commit: u64, threads: u32) -> Vec<Process> {
    let mut random = Random::named("processes");
    let mut id = 4;
    let mut all = vec![Process {
        name: "System",
        id,
        parent: 0,
        session: None,
        commit: 47,
        shared_commit: 0,
        threads: 0,
        handles: 3_391,
        started: 0,
        command_line: None,
    }];
    let (mut services, mut explorer) = (0, 0);
    for (index, (name, count, session, each, about)) in PROGRAMS.into_iter().enumerate() {
        for _ in 0..count {
            id += random.between(1, 90) as u32 * 4;
            match name {
                "services.exe" => services = id,
                "explorer.exe" => explorer = id,
                _ => {}
            }
            let parent = match session {
                _ if index < 10 => 4,
                Some(1) if explorer != 0 && explorer != id => explorer,
                _ if services != 0 => services,
                _ => 4,
            };
            all.push(Process {
                name,
                id,
                parent,
                session,
                commit: random.between(about * 7 / 10, about * 12 / 10),
                shared_commit: random.below(about / 4 + 1),
                threads: random.between((u64::from(each) * 3).div_ceil(4), u64::from(each) * 6 / 5)
                    as u32,
                handles: (u64::from(each) * random.between(11, 40)) as u32,
                started: 3 + index as u64 * index as u64 / 2 + random.below(9),
                command_line: None,
            });
        }
    }
    let used: u64 = all.iter().map(|process| process.commit).sum();
    if let Some(browser) = all.iter_mut().find(|process| process.name == "chrome.exe") {
        browser.commit = (browser.commit + commit).saturating_sub(used);
    }
    let running: u32 = all.iter().map(|process| process.threads).sum();
    if let Some(system) = all.first_mut() {
        system.threads = threads.saturating_sub(running);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitment_and_threads_come_out_exactly() {
        let all = all(279_673, 1_249);
        assert_eq!(all.iter().map(|p| p.commit).sum::<u64>(), 279_673);
        assert_eq!(all.iter().map(|p| p.threads).sum::<u32>(), 1_249);
        // nobody is absurd
        let browser = all.iter().find(|p| p.name == "chrome.exe").unwrap();
        assert!((8_000..60_000).contains(&browser.commit), "{browser:?}");
        assert!((90..260).contains(&all[0].threads), "{:?}", all[0]);
        let mut ids: Vec<u32> = all.iter().map(|p| p.id).collect();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
    }
}
