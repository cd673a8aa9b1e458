//! One image as a line of the database.

use super::Stored;
use crate::api;
use crate::report::{Agent, Class, Coverage, Reason, Report, Site, Verdict};
use rkd_code::Machine;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a line of the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// It is no JSON, or not of an image.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A number that is not written as `0x...`.
    #[error("{0:.20?} is no number of the form 0x1234")]
    Number(String),
    /// The bytes of an instruction are not written in hexadecimal digits.
    #[error("{0:.40?} are no bytes")]
    Bytes(String),
    /// The image is for a processor that is not known.
    #[error("the processor {0:.20?} is not known")]
    Machine(String),
}

/// A number as `0x...`, so that it can be found with a text search.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(u32);

impl TryFrom<String> for Hex {
    type Error = RecordError;
    fn try_from(text: String) -> Result<Hex, RecordError> {
        let digits = text.strip_prefix("0x");
        let number = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        number.map(Hex).ok_or(RecordError::Number(text))
    }
}

impl From<Hex> for String {
    fn from(number: Hex) -> String {
        format!("{:#x}", number.0)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    NoInterface,
    Analysed,
    CannotTell,
}

#[derive(Serialize, Deserialize)]
struct ImageRecord {
    file: String,
    arch: String,
    time_stamp: Hex,
    size_of_image: Hex,
    verdict: Answer,
    why: Option<String>,
    functions: usize,
    coverage: Coverage,
    sites: Vec<SiteRecord>,
    untagged: Vec<SiteRecord>,
    agents: Vec<AgentRecord>,
    notes: Vec<String>,
    code: BTreeMap<Hex, String>,
}

#[derive(Serialize, Deserialize)]
struct SiteRecord {
    call: Hex,
    function: Hex,
    constants: Vec<Hex>,
    api: String,
    tag: Option<Hex>,
    class: Option<Class>,
    pool: Option<u64>,
    size: Option<u64>,
    wrapper: Option<Hex>,
    exported: Option<String>,
    note: String,
    unresolved: Option<Reason>,
}

#[derive(Serialize, Deserialize)]
struct AgentRecord {
    name: String,
    rva: Hex,
    api: String,
    tag: Option<Hex>,
}

/// The line of an image, without a newline.
pub(super) fn write(stored: &Stored) -> String {
    let report = &stored.report;
    let (verdict, why) = match &report.verdict {
        Verdict::NoInterface => (Answer::NoInterface, None),
        Verdict::Analysed => (Answer::Analysed, None),
        Verdict::CannotTell(why) => (Answer::CannotTell, Some(why.clone())),
    };
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect();
    let record = ImageRecord {
        file: report.file.clone(),
        arch: report.machine.name().to_owned(),
        time_stamp: Hex(report.time_stamp),
        size_of_image: Hex(report.image_size),
        verdict,
        why,
        functions: report.functions,
        coverage: report.coverage,
        sites: report.sites.iter().map(site_record).collect(),
        untagged: report.untagged.iter().map(site_record).collect(),
        agents: report.agents.iter().map(agent_record).collect(),
        notes: report.notes.clone(),
        code: stored
            .code
            .iter()
            .map(|(&rva, bytes)| (Hex(rva), hex(bytes)))
            .collect(),
    };
    // only a map whose keys are no strings could fail
    serde_json::to_string(&record).unwrap_or_default()
}

fn site_record(site: &Site) -> SiteRecord {
    SiteRecord {
        call: Hex(site.call_rva),
        function: Hex(site.function_rva),
        constants: site.constant_rvas.iter().copied().map(Hex).collect(),
        api: site.api.to_owned(),
        tag: site.tag.map(Hex),
        class: site.class,
        pool: site.pool,
        size: site.size,
        wrapper: site.wrapper.map(Hex),
        exported: site.exported.clone(),
        note: site.note.clone(),
        unresolved: site.unresolved.clone(),
    }
}

fn agent_record(agent: &Agent) -> AgentRecord {
    AgentRecord {
        name: agent.name.clone(),
        rva: Hex(agent.rva),
        api: agent.api.to_owned(),
        tag: agent.tag.map(Hex),
    }
}

/// An image from its line.
pub(super) fn read(text: &str) -> Result<Stored, RecordError> {
    let record: ImageRecord = serde_json::from_str(text)?;
    let machine = Machine::ALL
        .into_iter()
        .find(|a| a.name() == record.arch)
        .ok_or(RecordError::Machine(record.arch))?;
    let mut strange: Vec<String> = Vec::new();
    let mut sites = |records: Vec<SiteRecord>| -> Vec<Site> {
        let known = records.into_iter().filter_map(|r| site(r, &mut strange));
        known.collect()
    };
    let (with_tag, untagged) = (sites(record.sites), sites(record.untagged));
    let mut notes = record.notes;
    if !strange.is_empty() {
        let (what, are) = match strange.len() {
            1 => ("1 site of an interface".to_owned(), "is"),
            n => (format!("{n} sites of interfaces"), "are"),
        };
        strange.sort_unstable();
        strange.dedup();
        let names = strange.join(", ");
        notes.push(format!(
            "{what} that this rkd does not know {are} left out: {names:.200}"
        ));
    }
    let code = record
        .code
        .into_iter()
        .map(|(rva, bytes)| Ok((rva.0, from_hex(&bytes)?)));
    Ok(Stored {
        report: Report {
            file: record.file,
            machine,
            time_stamp: record.time_stamp.0,
            image_size: record.size_of_image.0,
            verdict: match record.verdict {
                Answer::NoInterface => Verdict::NoInterface,
                Answer::Analysed => Verdict::Analysed,
                Answer::CannotTell => Verdict::CannotTell(record.why.unwrap_or_default()),
            },
            sites: with_tag,
            untagged,
            functions: record.functions,
            coverage: record.coverage,
            agents: record.agents.into_iter().filter_map(agent).collect(),
            notes,
        },
        code: code.collect::<Result<_, RecordError>>()?,
    })
}

fn site(record: SiteRecord, strange: &mut Vec<String>) -> Option<Site> {
    let Some(interface) = api::by_name(&record.api).and_then(api::get) else {
        strange.push(record.api);
        return None;
    };
    Some(Site {
        call_rva: record.call.0,
        function_rva: record.function.0,
        constant_rvas: record.constants.into_iter().map(|h| h.0).collect(),
        api: interface.name,
        kind: interface.kind,
        tag: record.tag.map(|h| h.0),
        class: record.class,
        pool: record.pool,
        pool_kind: interface.choice.pool(record.pool),
        size: record.size,
        wrapper: record.wrapper.map(|h| h.0),
        exported: record.exported,
        note: record.note,
        unresolved: record.unresolved,
    })
}

fn agent(record: AgentRecord) -> Option<Agent> {
    Some(Agent {
        name: record.name,
        rva: record.rva.0,
        api: api::by_name(&record.api).and_then(api::get)?.name,
        tag: record.tag.map(|h| h.0),
    })
}

fn from_hex(text: &str) -> Result<Vec<u8>, RecordError> {
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|t| t.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    };
    let bytes = text
        .as_bytes()
        .chunks(2)
        .map(pair)
        .collect::<Option<Vec<u8>>>();
    bytes.ok_or_else(|| RecordError::Bytes(text.to_owned()))
}
