//! A driver that may own a tag, as a row.

use super::proof;
use crate::command::Row;
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_kernel::owners::{Answer, Claim, Explains, Gone, Origin, Role, Suspect};
use rkd_kernel::pool::Tag;
use rkd_pooltags::Class;
use rkd_pooltags::api::{Kind, Pool};

/// Sites that are shown of a driver unless all are asked for.
const SITES: usize = 3;

/// A driver that may own a tag.
#[derive(Row)]
#[row(kind = "owner", absent = "no module is seen to allocate under the tag")]
pub struct OwnerRow {
    /// The tag, as text.
    tag: Tag,
    /// The tag, byte by byte.
    tag_bytes: [u8; 4],
    /// How much nonpaged pool the tag holds.
    #[row(absent = "the dump does not say")]
    nonpaged_bytes: Option<u64>,
    /// How much paged pool the tag holds.
    #[row(absent = "the dump does not say")]
    paged_bytes: Option<u64>,
    /// How many allocations the tag holds in both.
    #[row(absent = "the dump does not say")]
    outstanding: Option<u64>,
    /// The driver.
    module: Option<String>,
    /// The name of its file.
    image_name: Option<String>,
    /// The path of its file.
    image_path: Option<String>,
    /// The class of the evidence, E1 to E7.
    class: Option<String>,
    /// How sure it is: `proven` to `ruled out`, or `unknown`.
    confidence: &'static str,
    /// What that is concluded from.
    reason: Option<String>,
    /// What else there is to say.
    remarks: Vec<String>,
    /// For whom it allocates.
    role: Option<&'static str>,
    /// Others that allocate under the tag as surely.
    shared_with: Vec<String>,
    /// Whether its sites explain what the tag holds: `yes`, `no` or `unknown`.
    explains: Option<&'static str>,
    /// The pool that its sites allocate from.
    pool: Option<Result<&'static str, &'static str>>,
    /// How many places in its code pass the tag.
    sites: usize,
    /// What the first of them calls.
    api: Option<&'static str>,
    /// Where that call is.
    call: Option<Virt>,
    /// Where the tag is in the code.
    constant: Option<Virt>,
    /// How much the first site asks for.
    size_bytes: Option<Result<u64, &'static str>>,
    /// Whether a site passes the tag with the bit that protects blocks.
    protected: bool,
    /// The instructions that prove each site.
    proof: Vec<Vec<String>>,
    /// Its exports that allocate for others under the tag.
    exported: Vec<String>,
    /// The modules that import those.
    importers: Vec<String>,
    /// Where its code was read.
    source: Option<String>,
    /// What the list of tags says of the tag.
    #[row(absent = "the tag is in no list")]
    listed_as: Option<String>,
    #[row(skip, line)]
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
        let claims = suspect.claims.iter();
        let proof: Vec<Vec<String>> = claims
            .map(|claim| proof::lines(kernel, suspect, claim))
            .collect();
        let first = suspect.claims.first();
        let pool = suspect.pool().map(pool_word);
        OwnerRow {
            module: Some(suspect.module.name.clone()),
            image_name: Some(suspect.module.image_name.clone()),
            image_path: Some(suspect.module.image_path.clone()),
            class: Some(format!("{:?}", suspect.class)),
            confidence: suspect.word(),
            reason: Some(suspect.reason.clone()),
            remarks: suspect.remarks.clone(),
            role: Some(suspect.role.word()),
            shared_with: suspect.shared_with.clone(),
            explains: Some(match suspect.explains {
                Explains::Yes => "yes",
                Explains::Unknown => "unknown",
                Explains::No => "no",
            }),
            pool: Some(pool.ok_or("its sites do not all say the same pool")),
            sites: suspect.claims.len(),
            api: first.map(|claim| claim.site.api),
            call: first.and_then(|claim| address(claim, true)),
            constant: first.and_then(|claim| address(claim, false)),
            size_bytes: first.map(|claim| claim.site.size.ok_or("not constant")),
            protected: suspect.claims.iter().any(|c| c.site.is_protected()),
            exported: suspect.exported.clone(),
            importers: suspect.importers.modules.clone(),
            source: Some(match &suspect.origin {
                Origin::Dump => "dump".to_owned(),
                Origin::File(path) => path.display().to_string(),
                Origin::Database => "tag database".to_owned(),
            }),
            text: text(suspect, &proof, number, verbose),
            proof,
            ..OwnerRow::nobody(session, answer)
        }
    }

    /// The row of a tag for which there is nobody.
    pub fn nobody(session: &Session, answer: &Answer) -> OwnerRow {
        let tag = answer.question.tag;
        let held = answer.question.held.as_ref();
        let listed = session.target.tag_names.find(tag);
        OwnerRow {
            tag,
            tag_bytes: tag.0,
            nonpaged_bytes: held.map(|usage| usage.nonpaged.bytes),
            paged_bytes: held.map(|usage| usage.paged.bytes),
            outstanding: held.map(|usage| usage.nonpaged.outstanding() + usage.paged.outstanding()),
            module: None,
            image_name: None,
            image_path: None,
            class: None,
            confidence: "unknown",
            reason: None,
            remarks: Vec::new(),
            role: None,
            shared_with: Vec::new(),
            explains: None,
            pool: None,
            sites: 0,
            api: None,
            call: None,
            constant: None,
            size_bytes: None,
            protected: false,
            proof: Vec::new(),
            exported: Vec::new(),
            importers: Vec::new(),
            source: None,
            listed_as: listed.map(|name| name.describe().trim_end().to_owned()),
            text: String::new(),
        }
    }

    /// A driver that was unloaded and may have left what the tag holds.
    pub fn unloaded(session: &Session, answer: &Answer, gone: &Gone) -> OwnerRow {
        OwnerRow {
            module: Some(gone.driver.name.clone()),
            image_name: Some(gone.driver.name.clone()),
            confidence: gone.confidence().word(),
            role: Some(Role::Unloaded.word()),
            reason: Some(gone.evidence().join(", and ")),
            text: super::suspicion(gone),
            ..OwnerRow::nobody(session, answer)
        }
    }

    /// The same row with another text, for lists.
    pub fn with_text(mut self, text: String) -> OwnerRow {
        self.text = text;
        self
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

fn address(claim: &Claim, call: bool) -> Option<Virt> {
    let mut proof = claim.proof.iter();
    let found = proof.find(|instruction| instruction.is_call == call)?;
    Some(found.va)
}
