//! What the analysis found: sites with their proof, and how much it could not see.

use super::api::{Kind, Pool};
use rkd_code::Machine;
use serde::{Deserialize, Serialize};

/// How strong the evidence is, from proof to none. The measured precision of each class stands in `docs/tags.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// One constant reaches the tag argument of an interface that allocates.
    E1,
    /// The same through functions of the driver, as one of several constants, or from data that cannot be written.
    E2,
    /// A constant reaches an interface that frees or only maps.
    E3,
    /// It depends on something that can change: a variable, a pointer found at run time, a way that is not known; or it
    /// is the framework's default.
    E4,
    /// A number in an argument register, in a driver that imports a pool interface, without a call that it reaches.
    E5,
    /// A number elsewhere in an instruction.
    E6,
    /// Bytes in data.
    E7,
}

impl Class {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Class::E1 => "proven",
            Class::E2 => "proven (via wrapper)",
            Class::E3 => "uses",
            Class::E4 => "likely",
            Class::E5 => "probable",
            Class::E6 => "mention",
            Class::E7 => "no evidence",
        }
    }
}

/// A place where a driver names a pool tag to the system, or could.
///
/// A call that several tags reach is several sites. A site without a tag is one that could not be resolved, or one whose
/// tag is decided by the callers of its function; `note` says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The call or jump.
    pub call_rva: u32,
    /// The function that it stands in.
    pub function_rva: u32,
    /// The instructions (or the data) that hold the tag. The first is the proof; ARM64 often needs two.
    pub constant_rvas: Vec<u32>,
    /// The interface that is reached in the end.
    pub api: &'static str,
    /// What that interface does.
    pub kind: Kind,
    /// The tag, as the number that the interface gets; its bytes in memory order are the characters.
    pub tag: Option<u32>,
    /// How strong the evidence is; `None` where nothing is claimed.
    pub class: Option<Class>,
    /// The number that chooses the pool (`POOL_TYPE` or `POOL_FLAG_*`), where it is constant.
    pub pool: Option<u64>,
    /// The pool that this number means, or that the interface always uses.
    pub pool_kind: Option<Pool>,
    /// Bytes of one allocation, where constant.
    pub size: Option<u64>,
    /// The function of the driver that is called here and passes the tag on.
    pub wrapper: Option<u32>,
    /// The exported name of the function, where the site stands in a function that other modules can call.
    pub exported: Option<String>,
    /// What else must be known to judge it; empty if nothing.
    pub note: String,
    /// Why the tag is not known.
    pub unresolved: Option<Reason>,
}

/// Why a site has no tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The callers of the function decide, and they are sites of their own. Nothing is missing.
    CallersDecide,
    /// The callers decide, and not all of them can be seen (nobody calls it directly, or its address is taken).
    UnknownCallers,
    /// It is read from memory that exists only at run time.
    RunTime,
    /// It is computed, or comes from a call.
    Computed,
    /// Too many different values reach it, or the function is too entangled.
    TooComplex,
    /// The interface's pointer is stored or passed on, and who calls it is not known.
    PointerTaken,
    /// The code is not there: a page is missing, or no way leads to it.
    NotSeen,
}

impl Reason {
    /// The reason in words.
    pub fn text(&self) -> &'static str {
        match self {
            Reason::CallersDecide => "the callers decide",
            Reason::UnknownCallers => "the callers decide, and not all of them are known",
            Reason::RunTime => "read from memory at run time",
            Reason::Computed => "computed at run time",
            Reason::TooComplex => "too many ways lead to it",
            Reason::PointerTaken => "the function's address is taken",
            Reason::NotSeen => "its code could not be followed",
        }
    }
}

impl Site {
    /// Bit 31 of the tag: Windows' mark for a protected allocation, which must be freed with the same tag.
    pub fn is_protected(&self) -> bool {
        self.tag.is_some_and(|tag| tag >> 31 != 0)
    }

    /// Whether something is missing here: a tag that should be known and is not.
    pub fn is_unresolved(&self) -> bool {
        self.unresolved
            .as_ref()
            .is_some_and(|r| *r != Reason::CallersDecide)
    }
}

/// The characters of a tag in memory order, those that cannot be printed as `\x00`. Bit 31 is left out: it is a mark, and
/// would hide the last character.
pub fn tag_text(tag: u32) -> String {
    let bytes = (tag & 0x7fff_ffff).to_le_bytes();
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// How much of the image was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Bytes of code that the headers name.
    pub code_bytes: u64,
    /// Bytes of code that are there.
    pub present_bytes: u64,
    /// References to tag-taking interfaces in that code.
    pub references: u32,
    /// Those that were followed to what they do.
    pub followed: u32,
    /// Functions that were analysed.
    pub analysed: u32,
    /// Instructions that were run.
    pub steps: u64,
}

/// Whether an answer about the image can be had at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It names no tag-taking interface in any way that is known: it cannot allocate under a tag of its own.
    NoInterface,
    /// It was analysed.
    Analysed,
    /// It could not be; silence about a tag means nothing.
    CannotTell(String),
}

/// The result of an analysis.
#[derive(Clone, Debug)]
pub struct Report {
    /// The image's name.
    pub file: String,
    /// Its processor.
    pub machine: Machine,
    /// `TimeDateStamp`, to match it with a dump's module.
    pub time_stamp: u32,
    /// `SizeOfImage`, bytes.
    pub image_size: u32,
    /// Whether there is an answer.
    pub verdict: Verdict,
    /// Sites in the order of the calls.
    pub sites: Vec<Site>,
    /// Calls of interfaces that take no tag, whose pool Windows files under `None`.
    pub untagged: Vec<Site>,
    /// Functions in the image.
    pub functions: usize,
    /// How much was seen.
    pub coverage: Coverage,
    /// Functions that other modules can call and that allocate for them.
    pub agents: Vec<Agent>,
    /// What a person must know.
    pub notes: Vec<String>,
}

/// An exported function that allocates for its callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// The exported name.
    pub name: String,
    /// Where it is.
    pub rva: u32,
    /// The interface that it reaches.
    pub api: &'static str,
    /// The tag, if it is always the same; otherwise the importers pass their own.
    pub tag: Option<u32>,
}

impl Report {
    /// Sites where a tag should be known and is not, with the reason.
    pub fn unresolved(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|s| s.is_unresolved())
    }

    /// Sites of this tag; bit 31 makes no difference.
    pub fn of_tag(&self, tag: u32) -> impl Iterator<Item = &Site> {
        self.sites
            .iter()
            .filter(move |s| s.tag.is_some_and(|t| (t ^ tag) & 0x7fff_ffff == 0))
    }

    /// Every site as the line that programs read, in the order of the calls; calls without a tag argument are among them.
    pub fn lines(&self) -> Vec<SiteRecord<'_>> {
        let mut sites: Vec<(&Site, bool)> = self.sites.iter().map(|s| (s, false)).collect();
        sites.extend(self.untagged.iter().map(|s| (s, true)));
        sites.sort_by_key(|(site, _)| site.call_rva);
        let line = |(site, untagged)| SiteRecord::new(self, site, untagged);
        sites.into_iter().map(line).collect()
    }
}

/// The tag under which Windows files what is allocated without one.
pub const UNTAGGED: u32 = u32::from_le_bytes(*b"None");

/// A site for programs: what is not known is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteRecord<'a> {
    /// The image's name.
    pub file: &'a str,
    /// `x64`, `x86` or `arm64`.
    pub arch: &'a str,
    /// The call, as `0x...`.
    pub call_rva: String,
    /// The function that it stands in.
    pub function_rva: String,
    /// The instruction that completes the tag (on ARM64 the second of two), or the data that holds it.
    pub constant_rva: Option<String>,
    /// The interface that is reached in the end.
    pub api: &'a str,
    /// The tag's characters, see [`tag_text`].
    pub tag: Option<String>,
    /// The tag as a number of eight digits, `0x...`.
    pub tag_u32: Option<String>,
    /// How strong the evidence is.
    pub class: Option<Class>,
    /// `POOL_TYPE` or `POOL_FLAG_*`.
    pub pool: Option<u64>,
    /// Bytes of one allocation.
    pub size: Option<u64>,
    /// What else must be known to judge it; empty if nothing.
    pub note: String,
}

impl<'a> SiteRecord<'a> {
    fn new(report: &'a Report, site: &'a Site, untagged: bool) -> SiteRecord<'a> {
        let hex = |n: u32| format!("{n:#x}");
        // like the framework's default, it is a rule of Windows: no code holds the tag
        let (tag, class) = match untagged {
            true => (Some(UNTAGGED), Some(Class::E4)),
            false => (site.tag, site.class),
        };
        SiteRecord {
            file: &report.file,
            arch: report.machine.name(),
            call_rva: hex(site.call_rva),
            function_rva: hex(site.function_rva),
            constant_rva: site.constant_rvas.first().copied().map(hex),
            api: site.api,
            tag: tag.map(tag_text),
            tag_u32: tag.map(|t| format!("{t:#010x}")),
            class,
            pool: site.pool,
            size: site.size,
            note: SiteRecord::note(site, untagged),
        }
    }

    fn note(site: &Site, untagged: bool) -> String {
        let mut notes: Vec<String> = Vec::new();
        if untagged {
            notes.push("it takes no tag, and Windows files it under None".to_owned());
        }
        if let Some(reason) = &site.unresolved {
            notes.push(reason.text().to_owned());
        }
        if let Some(wrapper) = site.wrapper {
            notes.push(format!("through the function at {wrapper:#x}"));
        }
        if !site.note.is_empty() {
            notes.push(site.note.clone());
        }
        notes.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_so_that_nothing_is_lost() {
        assert_eq!(tag_text(u32::from_le_bytes(*b"Leak")), "Leak");
        assert_eq!(tag_text(u32::from_le_bytes(*b"Io \0")), "Io \\x00");
        assert_eq!(tag_text(u32::from_le_bytes(*b"PsT\xf0")), "PsTp");
        assert_eq!(tag_text(0xebab), "\\xab\\xeb\\x00\\x00");
    }
}
