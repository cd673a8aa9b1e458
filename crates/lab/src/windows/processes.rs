//! Processes, their threads and sessions, and the page tables of each.

use super::{Windows, user};
use crate::paging::PageTables;
use crate::plan::{Plan, Process};
use rkd_dump::addr::{Phys, Virt};
use rkd_dump::error::Result;
use std::collections::BTreeMap;

/// Pages of a kernel stack, without its guard page.
pub(super) const STACK_PAGES: u64 = 6;

/// What runs.
pub(super) struct Running {
    /// The System process.
    pub system: Virt,
    /// CR3 of System, with the bits that Windows adds.
    pub root: u64,
    /// The thread that ran when the machine stopped.
    pub thread: Virt,
    /// The top of that thread's stack.
    pub stack_base: Virt,
    /// One idle thread per processor.
    pub idle: Vec<Virt>,
    /// Pages of kernel stacks of all threads of listed processes.
    pub stack_pages: u64,
}

/// A thread that was made.
struct Thread {
    at: Virt,
    stack_base: Virt,
}

/// Writes all processes.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan) -> Result<Running> {
    let sessions = write_sessions(windows, plan)?;
    let head = windows.symbol("PsActiveProcessHead")?;
    let links = windows
        .structure("_EPROCESS")?
        .offset("ActiveProcessLinks")?;
    let cookie = cookie(windows)?;
    let mut maker = Maker {
        cookie,
        next_thread: 0x10,
        stack_pages: 0,
        members: BTreeMap::new(),
    };
    // every region must be in the root table before it is copied for each process
    let (session, cache) = (windows.regions.session, windows.regions.system_cache);
    for at in [session, cache, windows.regions.system_ptes] {
        windows.memory.write_u64(at, 0)?;
    }
    let (mut made, mut first) = (Vec::new(), None);
    for process in &plan.processes {
        let session = process.session.and_then(|id| sessions.get(&id).copied());
        let (at, threads) = maker.process(windows, plan, process, session, made.is_empty())?;
        made.push(at);
        if first.is_none() {
            first = threads.into_iter().next();
        }
    }
    let entries: Vec<Virt> = made.iter().map(|&at| at + links).collect();
    windows.link(head, &entries)?;
    maker.link_memory_list(windows, &made)?;
    maker.link_sessions(windows, &sessions)?;
    let system = made.first().copied().unwrap_or(Virt(0));
    windows.set_u64("PsInitialSystemProcess", system.0)?;
    let stack_pages = maker.stack_pages;
    let idle = maker.idle(windows, plan)?;
    let first = first.unwrap_or(Thread {
        at: Virt(0),
        stack_base: Virt(0),
    });
    Ok(Running {
        system,
        root: visible_root(windows, windows.memory.tables.root()),
        thread: first.at,
        stack_base: first.stack_base,
        idle,
        stack_pages,
    })
}

/// The cookie by which newer kernels hide the type of an object.
fn cookie(windows: &mut Windows<'_>) -> Result<Option<u8>> {
    match windows.try_symbol("ObHeaderCookie") {
        Some(at) => windows.memory.write(at, &[0x5e]).map(|()| Some(0x5e)),
        None => Ok(None),
    }
}

/// Kernels that hide themselves from user mode mark the roots of kernel mode by the address space number 2.
fn visible_root(windows: &Windows<'_>, root: Phys) -> u64 {
    let shadowed = windows
        .table
        .field("_KPROCESS", "UserDirectoryTableBase")
        .is_ok();
    root.0 | if shadowed { 2 } else { 0 }
}

/// The session structures, in session space.
fn write_sessions(windows: &mut Windows<'_>, plan: &Plan) -> Result<BTreeMap<u32, Virt>> {
    let mut made = BTreeMap::new();
    for (index, &(id, committed)) in plan.sessions.iter().enumerate() {
        let at = windows.regions.session + 0x40_0000 * (index as u64 + 1);
        let mut structure = windows.structure("_MM_SESSION_SPACE")?;
        structure.set("SessionId", u64::from(id))?;
        structure.set(
            "ReferenceCount",
            plan.processes
                .iter()
                .filter(|p| p.session == Some(id))
                .count() as u64,
        )?;
        structure.set("CommittedPages", committed)?;
        structure.set_if("NonPagablePages", committed / 9);
        structure.set_if("PagedPoolInfo.AllocatedPagedPool", committed / 3);
        structure.set_if("LocaleId", 0x804);
        windows.memory.write(at, structure.bytes())?;
        made.insert(id, at);
    }
    Ok(made)
}

/// Makes processes and threads, and keeps what their lists need.
struct Maker {
    cookie: Option<u8>,
    next_thread: u64,
    stack_pages: u64,
    members: BTreeMap<u32, Vec<Virt>>,
}

impl Maker {
    /// Room for an object: pool header, object header, body. Returns the body.
    fn object(
        &self,
        windows: &mut Windows<'_>,
        tag: &[u8; 4],
        kind: u8,
        body: u64,
    ) -> Result<Virt> {
        let mut header = windows.structure("_OBJECT_HEADER")?;
        let before = header.offset("Body")?;
        let at = windows.allocate(tag, before + body)?;
        header.set("PointerCount", 0x7ffd)?;
        header.set("HandleCount", 3)?;
        let hidden = self
            .cookie
            .map_or(kind, |cookie| kind ^ cookie ^ (at.0 >> 8 & 0xff) as u8);
        header.set("TypeIndex", u64::from(hidden))?;
        let bytes = header
            .bytes()
            .get(..before as usize)
            .unwrap_or_default()
            .to_vec();
        windows.memory.write(at, &bytes)?;
        Ok(at + before)
    }

    /// A process and its threads.
    fn process(
        &mut self,
        windows: &mut Windows<'_>,
        plan: &Plan,
        process: &Process,
        session: Option<Virt>,
        system: bool,
    ) -> Result<(Virt, Vec<Thread>)> {
        let mut structure = windows.structure("_EPROCESS")?;
        let at = self.object(windows, b"Proc", 7, structure.bytes().len() as u64)?;
        let mut threads = Vec::new();
        for _ in 0..process.threads {
            threads.push(self.thread(windows, plan, process, at)?);
        }
        let tables: PageTables = if system {
            windows.memory.tables
        } else {
            windows.memory.tables.fork(&mut windows.memory.ram)?
        };
        if let Some(line) = process.command_line {
            user::write(windows, &tables, process, line)?;
        }
        let root = tables.root();
        let root = visible_root(windows, root);
        structure.set("Pcb.Header.Type", 3)?;
        structure.set("Pcb.DirectoryTableBase", root)?;
        structure.set_if("Pcb.UserDirectoryTableBase", 1);
        structure.set("Pcb.BasePriority", 8)?;
        structure.set("UniqueProcessId", u64::from(process.id))?;
        structure.set("InheritedFromUniqueProcessId", u64::from(process.parent))?;
        let name: Vec<u8> = process.name.bytes().take(14).collect();
        structure.put("ImageFileName", &name)?;
        structure.set(
            "CreateTime.QuadPart",
            plan.time - plan.up_time + process.started * 10_000_000,
        )?;
        structure.set("ActiveThreads", u64::from(process.threads))?;
        structure.set("CommitCharge", process.commit)?;
        structure.set_if("SharedCommitCharge", process.shared_commit);
        structure.set_if("CommitChargePeak", process.commit + process.commit / 6);
        structure.set("Session", session.unwrap_or(Virt(0)).0)?;
        structure.set("ObjectTable", handle_table(windows, process, at)?.0)?;
        if process.session.is_some() {
            structure.set("Peb", user::environment(process).0)?;
        }
        structure.set(
            "SeAuditProcessCreationInfo.ImageFileName",
            audit_name(windows, process)?.0,
        )?;
        let (by_kernel, by_executive) = (
            structure.offset("Pcb.ThreadListHead")?,
            structure.offset("ThreadListHead")?,
        );
        let sessions = structure.offset("SessionProcessLinks")?;
        windows.memory.write(at, structure.bytes())?;
        for (head, path) in [
            (by_kernel, "Tcb.ThreadListEntry"),
            (by_executive, "ThreadListEntry"),
        ] {
            let entry = windows.structure("_ETHREAD")?.offset(path)?;
            let entries: Vec<Virt> = threads.iter().map(|thread| thread.at + entry).collect();
            windows.link(at + head, &entries)?;
        }
        if let Some(id) = process.session {
            self.members.entry(id).or_default().push(at + sessions);
        }
        Ok((at, threads))
    }

    /// A thread that waits.
    fn thread(
        &mut self,
        windows: &mut Windows<'_>,
        plan: &Plan,
        process: &Process,
        of: Virt,
    ) -> Result<Thread> {
        let mut structure = windows.structure("_ETHREAD")?;
        let at = self.object(windows, b"Thre", 8, structure.bytes().len() as u64)?;
        let limit = windows.stacks.take((STACK_PAGES + 1) * 0x1000, 0x1000) + 0x1000;
        let base = limit + STACK_PAGES * 0x1000;
        self.stack_pages += STACK_PAGES;
        structure.set("Tcb.Header.Type", 6)?;
        structure.set("Tcb.InitialStack", (base - 0x70).0)?;
        structure.set("Tcb.StackLimit", limit.0)?;
        structure.set("Tcb.StackBase", base.0)?;
        structure.set("Tcb.KernelStack", (base - 0x5f0).0)?;
        structure.set_if("Tcb.KernelStackResident", 1);
        // waiting, for a reason
        structure.set("Tcb.State", 5)?;
        structure.set(
            "Tcb.WaitReason",
            [6, 7, 13, 15][(self.next_thread / 4 % 4) as usize],
        )?;
        structure.set("Tcb.Priority", 8)?;
        structure.set("Tcb.Process", of.0)?;
        structure.set("Tcb.ApcState.Process", of.0)?;
        structure.set("Cid.UniqueProcess", u64::from(process.id))?;
        structure.set("Cid.UniqueThread", self.next_thread)?;
        structure.set(
            "CreateTime.QuadPart",
            plan.time - plan.up_time + (process.started + 1) * 10_000_000,
        )?;
        self.next_thread += 4;
        windows.memory.write(at, structure.bytes())?;
        Ok(Thread {
            at,
            stack_base: base,
        })
    }

    /// The idle process, which no list knows, with a thread per processor.
    fn idle(&mut self, windows: &mut Windows<'_>, plan: &Plan) -> Result<Vec<Virt>> {
        let idle = Process {
            name: "Idle",
            id: 0,
            parent: 0,
            session: None,
            commit: 15,
            shared_commit: 0,
            threads: plan.processors,
            handles: 0,
            started: 0,
            command_line: None,
        };
        let (at, threads) = self.process(windows, plan, &idle, None, true)?;
        windows.set_u64("PsIdleProcess", at.0)?;
        Ok(threads.into_iter().map(|thread| thread.at).collect())
    }

    /// The memory manager's own list of processes.
    fn link_memory_list(&self, windows: &mut Windows<'_>, made: &[Virt]) -> Result<()> {
        let Ok(links) = windows.structure("_EPROCESS")?.offset("MmProcessLinks") else {
            return Ok(());
        };
        let head = match windows
            .table
            .field("_MI_SYSTEM_INFORMATION", "Processes.ProcessList")
        {
            Ok(field) => windows.symbol("MiState")? + field.offset,
            Err(_) => match windows.try_symbol("MmProcessList") {
                Some(head) => head,
                None => return Ok(()),
            },
        };
        let entries: Vec<Virt> = made.iter().map(|&at| at + links).collect();
        windows.link(head, &entries)
    }

    /// The list of sessions, and in each the list of its processes.
    fn link_sessions(
        &self,
        windows: &mut Windows<'_>,
        sessions: &BTreeMap<u32, Virt>,
    ) -> Result<()> {
        let structure = windows.structure("_MM_SESSION_SPACE")?;
        let (in_list, members) = (
            structure.offset("WsListEntry")?,
            structure.offset("ProcessList")?,
        );
        for (id, &at) in sessions {
            windows.link(
                at + members,
                self.members.get(id).map_or(&[][..], Vec::as_slice),
            )?;
        }
        let entries: Vec<Virt> = sessions.values().map(|&at| at + in_list).collect();
        match windows.session_list()? {
            Some(head) => windows.link(head, &entries),
            None => Ok(()),
        }
    }
}

/// The handle table, of which only the count is true.
fn handle_table(windows: &mut Windows<'_>, process: &Process, owner: Virt) -> Result<Virt> {
    let mut structure = windows.structure("_HANDLE_TABLE")?;
    structure.set("QuotaProcess", owner.0)?;
    if !structure.set_if("HandleCount", u64::from(process.handles)) {
        structure.set_if("FreeLists[0].HandleCount", u64::from(process.handles));
    }
    structure.set_if("UniqueProcessId", u64::from(process.id));
    let at = windows.allocate(b"Obtb", structure.bytes().len() as u64)?;
    windows.memory.write(at, structure.bytes())?;
    Ok(at)
}

/// The full name of the process' image: the short one keeps fourteen letters.
fn audit_name(windows: &mut Windows<'_>, process: &Process) -> Result<Virt> {
    let path = match process.id {
        0 | 4 => String::new(),
        _ => format!(
            "\\Device\\HarddiskVolume3\\Windows\\System32\\{}",
            process.name
        ),
    };
    let letters: Vec<u8> = path
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    let at = windows.allocate(b"SeAu", 16 + letters.len() as u64)?;
    let room = letters.len() as u32;
    let mut bytes = ((room - 2) | room << 16).to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(at.0 + 16).to_le_bytes());
    bytes.extend_from_slice(&letters);
    windows.memory.write(at, &bytes)?;
    Ok(at)
}
