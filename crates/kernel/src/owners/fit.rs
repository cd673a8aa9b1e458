//! Whether a driver's sites can have made the blocks of the tag: their pool and their sizes, held against the books.

use super::blocks::Blocks;
use super::suspect::{Claim, Explains};
use crate::leak::books::human;
use rkd_pooltags::api::{Kind, Pool};

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// Whether the sites can be what filled the pool.
    pub explains: Explains,
    /// Whether a constant size agrees with the books, as well as the pool.
    pub agrees: bool,
    /// What fits and what does not, a sentence each.
    pub said: Vec<String>,
}

/// Whether one site can have filled the pool.
pub(super) fn of_site(claim: &Claim, blocks: Option<&Blocks>) -> Explains {
    let Some(blocks) = blocks else {
        return Explains::Unknown;
    };
    let size = claim
        .site
        .size
        .and_then(|size| blocks.made_by(size, is_framework(claim)));
    match (claim.site.pool_kind, size) {
        (Some(pool), _) if pool != blocks.pool => Explains::No,
        (_, Some(false)) if !is_framework(claim) => Explains::No,
        (Some(_), _) => Explains::Yes,
        (None, _) => Explains::Unknown,
    }
}

fn is_framework(claim: &Claim) -> bool {
    claim.site.kind == Kind::Framework
}

/// All sites together that allocate under the tag.
pub(super) fn of_sites(allocating: &[&Claim], blocks: Option<&Blocks>) -> Fit {
    let explains = allocating.iter().map(|claim| of_site(claim, blocks)).min();
    let mut fit = Fit {
        explains: explains.unwrap_or(Explains::Unknown),
        agrees: false,
        said: Vec::new(),
    };
    let Some(blocks) = blocks.filter(|_| !allocating.is_empty()) else {
        return fit;
    };
    let (name, other) = match blocks.pool {
        Pool::Nonpaged => ("nonpaged", "paged"),
        Pool::Paged => ("paged", "nonpaged"),
    };
    let of_pool: Vec<&&Claim> = allocating
        .iter()
        .filter(|claim| claim.site.pool_kind.is_none_or(|pool| pool == blocks.pool))
        .collect();
    if of_pool.is_empty() {
        fit.said.push(format!(
            "all its sites allocate {other} pool, and what the tag holds is {name} pool: it cannot have filled it"
        ));
        return fit;
    }
    if of_pool.iter().all(|claim| claim.site.pool_kind.is_none()) {
        fit.said.push(format!(
            "which pool it allocates from is decided at run time; the tag holds {name} pool"
        ));
    }
    let makes = |claim: &Claim| {
        let size = claim.site.size?;
        Some((size, blocks.made_by(size, is_framework(claim))?))
    };
    let judged: Vec<(u64, bool)> = of_pool.iter().filter_map(|claim| makes(claim)).collect();
    let right = judged.iter().find(|(_, made)| *made);
    let each = blocks.each().map_or_else(
        || format!("the blocks have {} on average", human(blocks.average())),
        |each| format!("the blocks are {}", human(each)),
    );
    if let Some((size, _)) = right {
        fit.agrees = fit.explains == Explains::Yes;
        fit.said.push(format!(
            "asks for {size:#x} bytes; {each}: that fits, with the header and the allocator's rounding"
        ));
    } else if !judged.is_empty() && !of_pool.iter().any(|claim| is_framework(claim)) {
        let here = if judged.len() == 1 {
            "not this site"
        } else {
            "not these sites"
        };
        fit.said
            .push(format!("asks for {} bytes; {each}: {here}", sizes(&judged)));
    }
    fit
}

/// The sizes that are asked for, each once.
fn sizes(judged: &[(u64, bool)]) -> String {
    let mut sizes: Vec<u64> = judged.iter().map(|(size, _)| *size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let words: Vec<String> = sizes.iter().map(|size| format!("{size:#x}")).collect();
    words.join(", ")
}
