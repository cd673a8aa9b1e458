//! A driver that may own a tag, as a row.

use super::proof;
use crate::command::{Record, Row, Value};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_kernel::owners::{Answer, Claim, Explains, Gone, Origin, Role, Suspect};
use rkd_kernel::pool::{Tag, TagUse};
use rkd_pooltags::Class;
use rkd_pooltags::api::{Kind, Pool};

/// Sites that are shown of a driver unless all are asked for.
const SITES: usize = 3;

/// What is shown of an owner.
pub struct OwnerRow {
    record: Record,
    text: String,
}

impl OwnerRow {
    /// A suspect, by its number among those of the answer.
    pub fn new(
        session: &Session,
        answer: &Answer,
        suspect: &Suspect,
        number: usize,
        verbose: bool,
    ) -> OwnerRow {
        let kernel = &session.target.kernel;
        let proofs: Vec<Vec<String>> = suspect
            .claims
            .iter()
            .map(|claim| proof::lines(kernel, suspect, claim))
            .collect();
        OwnerRow {
            record: record(session, answer, Some(suspect), &proofs),
            text: text(suspect, &proofs, number, verbose),
        }
    }

    /// The row of a tag for which there is nobody.
    pub fn nobody(session: &Session, answer: &Answer) -> OwnerRow {
        OwnerRow {
            record: record(session, answer, None, &[]),
            text: String::new(),
        }
    }

    /// A driver that was unloaded and may have left what the tag holds.
    pub fn unloaded(session: &Session, answer: &Answer, gone: &Gone) -> OwnerRow {
        let mut row = OwnerRow::nobody(session, answer);
        for (name, value) in &mut row.record {
            *value = match *name {
                "module" | "image_name" => gone.driver.name.as_str().into(),
                "confidence" => gone.confidence().word().into(),
                "role" => Role::Unloaded.word().into(),
                "reason" => gone.evidence().join(", and ").into(),
                _ => continue,
            };
        }
        row.with_text(super::suspicion(gone))
    }

    /// The same row with another text, for lists.
    pub fn with_text(mut self, text: String) -> OwnerRow {
        self.text = text;
        self
    }
}

impl Row for OwnerRow {
    fn kind(&self) -> &'static str {
        "owner"
    }

    fn record(&self) -> Record {
        self.record.clone()
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// Pools by the words that rows use.
pub fn pool_word(pool: Pool) -> &'static str {
    match pool {
        Pool::Nonpaged => "nonpaged",
        Pool::Paged => "paged",
    }
}

pub(crate) fn text(
    suspect: &Suspect,
    proofs: &[Vec<String>],
    number: usize,
    verbose: bool,
) -> String {
    let mut lines = Vec::new();
    if number > 0 {
        lines.push(String::new());
    }
    lines.push(format!(
        "{}: {} ({:?})   {}",
        suspect.module.image_name,
        suspect.word(),
        suspect.class,
        suspect.module.image_path
    ));
    lines.push(format!("    {}", suspect.reason));
    lines.extend(suspect.remarks.iter().map(|remark| format!("    {remark}")));
    if let Some(service) = suspect.service() {
        lines.push(format!("    {service}"));
    }
    if !suspect.exported.is_empty() {
        lines.push(format!(
            "    it allocates for others through {}",
            suspect.exported.join(", ")
        ));
        lines.push(match suspect.importers.modules.as_slice() {
            [] => "    no loaded module is seen to import that".to_owned(),
            modules => format!("    imported by {}", modules.join(", ")),
        });
    }
    match &suspect.origin {
        Origin::Dump => {}
        Origin::File(path) => lines.push(format!("    read from its file {}", path.display())),
        Origin::Database => lines.push("    read from the tag database".to_owned()),
    }
    let shown = if verbose {
        proofs.len()
    } else {
        SITES.min(proofs.len())
    };
    for (claim, proof) in suspect.claims.iter().zip(proofs).take(shown) {
        lines.push(what(claim));
        lines.extend(proof.iter().cloned());
    }
    if shown < proofs.len() {
        lines.push(format!(
            "    and {} more sites (-v shows all)",
            proofs.len() - shown
        ));
    }
    lines.join("\n")
}

/// What a site does, in a line above its instructions.
fn what(claim: &Claim) -> String {
    let site = &claim.site;
    let mut parts = Vec::new();
    parts.extend(match site.kind {
        Kind::Free => Some("frees".to_owned()),
        Kind::Mapping if claim.class == Class::E3 => Some("maps".to_owned()),
        Kind::RemoveLock => Some("prepares a remove lock".to_owned()),
        _ => None,
    });
    parts.extend(
        site.pool_kind
            .map(|pool| format!("{} pool", pool_word(pool))),
    );
    parts.extend(site.size.map(|size| format!("{size:#x} bytes")));
    if !site.note.is_empty() {
        parts.push(site.note.clone());
    }
    let parts = if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    };
    format!("  {:?}{parts}", claim.class)
}

fn record(
    session: &Session,
    answer: &Answer,
    suspect: Option<&Suspect>,
    proofs: &[Vec<String>],
) -> Record {
    let question = &answer.question;
    let nobody = || Value::Absent("no module is seen to allocate under the tag".into());
    let of = |value: Option<Value>| value.unwrap_or_else(nobody);
    let first = suspect.and_then(|s| s.claims.first());
    let text = |text: &str| Value::from(text);
    let absent = |why: &str| Value::Absent(why.into());
    let held = |bytes: fn(&TagUse) -> u64| {
        question
            .held
            .as_ref()
            .map_or(absent("the dump does not say"), |usage| bytes(usage).into())
    };
    let list = |names: &[String]| Value::List(names.iter().map(|n| text(n)).collect());
    let Tag(bytes) = question.tag;
    let listed = session.target.tag_names.find(question.tag);
    vec![
        ("tag", question.tag.to_string().into()),
        ("tag_bytes", bytes.to_vec().into()),
        ("nonpaged_bytes", held(|usage| usage.nonpaged.bytes)),
        ("paged_bytes", held(|usage| usage.paged.bytes)),
        (
            "outstanding",
            held(|usage| usage.nonpaged.outstanding() + usage.paged.outstanding()),
        ),
        ("module", of(suspect.map(|s| text(&s.module.name)))),
        (
            "image_name",
            of(suspect.map(|s| text(&s.module.image_name))),
        ),
        (
            "image_path",
            of(suspect.map(|s| text(&s.module.image_path))),
        ),
        (
            "class",
            of(suspect.map(|s| format!("{:?}", s.class).into())),
        ),
        (
            "confidence",
            suspect.map_or("unknown", Suspect::word).into(),
        ),
        ("reason", of(suspect.map(|s| text(&s.reason)))),
        (
            "remarks",
            list(suspect.map_or(&[], |s| s.remarks.as_slice())),
        ),
        ("role", of(suspect.map(|s| text(s.role.word())))),
        (
            "shared_with",
            list(suspect.map_or(&[], |s| s.shared_with.as_slice())),
        ),
        (
            "explains",
            of(suspect.map(|s| match s.explains {
                Explains::Yes => text("yes"),
                Explains::Unknown => text("unknown"),
                Explains::No => text("no"),
            })),
        ),
        (
            "pool",
            match suspect {
                Some(suspect) => suspect
                    .pool()
                    .map_or(absent("its sites do not all say the same pool"), |p| {
                        text(pool_word(p))
                    }),
                None => nobody(),
            },
        ),
        ("sites", suspect.map_or(0, |s| s.claims.len() as u64).into()),
        ("api", of(first.map(|claim| text(claim.site.api)))),
        ("call", of(first.and_then(|claim| address(claim, true)))),
        (
            "constant",
            of(first.and_then(|claim| address(claim, false))),
        ),
        (
            "size_bytes",
            match first {
                Some(claim) => claim.site.size.map_or(absent("not constant"), Value::from),
                None => nobody(),
            },
        ),
        (
            "protected",
            suspect
                .is_some_and(|s| s.claims.iter().any(|c| c.site.is_protected()))
                .into(),
        ),
        (
            "proof",
            Value::List(proofs.iter().map(|lines| list(lines)).collect()),
        ),
        (
            "exported",
            list(suspect.map_or(&[], |s| s.exported.as_slice())),
        ),
        (
            "importers",
            list(suspect.map_or(&[], |s| s.importers.modules.as_slice())),
        ),
        (
            "source",
            of(suspect.map(|s| match &s.origin {
                Origin::Dump => text("dump"),
                Origin::File(path) => path.display().to_string().into(),
                Origin::Database => text("tag database"),
            })),
        ),
        (
            "listed_as",
            listed.map_or(absent("the tag is in no list"), |name| {
                text(name.describe().trim_end())
            }),
        ),
    ]
}

fn address(claim: &Claim, call: bool) -> Option<Value> {
    let found = claim
        .proof
        .iter()
        .find(|instruction| instruction.is_call == call)?;
    let Virt(va) = found.va;
    Some(Virt(va).into())
}
