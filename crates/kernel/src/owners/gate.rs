//! The cheap gate: one pass over all modules for the bytes of a few tags. Only a module that holds them needs to be read to
//! prove that it uses one of the tags – unless it puts the tag together, or its code keeps numbers in pieces (ARM64).

use super::framework;
use super::readings::Readings;
use super::{Question, presence::Presence};
use crate::Kernel;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_scan::{Event, Hits, Pattern, Patterns, Source, Span};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Places of one tag in one module that are kept.
const MAX_HITS: usize = 256;
/// Everything but bit 31, which marks a protected allocation.
const MASK: [u8; 4] = [0xff, 0xff, 0xff, 0x7f];
/// How the record that binds a driver to the framework calls it.
const FRAMEWORK: &str = "KmdfLibrary";

/// A place where the bytes of a tag stand in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub question: usize,
    pub module: usize,
    pub rva: u32,
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Modules that must be read.
    pub modules: Vec<usize>,
    pub hits: Vec<Hit>,
    pub stopped: bool,
}

pub(super) fn gate(
    kernel: &Kernel,
    readings: &Readings,
    questions: &[Question],
    stop: &Arc<AtomicBool>,
) -> Result<Gate> {
    let mut patterns = Vec::new();
    for question in questions {
        patterns.push(Pattern::masked(
            &question.tag.without_protection().0,
            &MASK,
        )?);
    }
    patterns.push(Pattern::utf16(FRAMEWORK));
    let patterns = Arc::new(Patterns::new(patterns)?);
    let mut gate = Gate::default();
    let mut wanted = BTreeSet::new();
    for (index, module) in kernel.modules().iter().enumerate() {
        let defaults = questions
            .iter()
            .any(|q| framework::may_be_default(module, q.tag));
        let unsearchable = readings
            .presence(kernel, index)
            .is_some_and(|p| !p.searchable);
        let stored = readings.stored(kernel, index).is_some_and(|stored| {
            let report = &stored.report;
            questions
                .iter()
                .any(|q| report.of_tag(q.tag.to_u32()).next().is_some())
        });
        if defaults || unsearchable || stored || file_holds(kernel, readings, index, &patterns) {
            wanted.insert(index);
        }
    }
    let spans = kernel.modules().iter().map(|m| Span::new(m.base, m.size));
    let source = Source::Virtual(kernel.space().clone());
    let mut search = Hits::new(
        source,
        spans.collect(),
        Arc::clone(&patterns),
        Arc::clone(stop),
    );
    let mut kept = vec![0usize; questions.len()];
    let mut last = usize::MAX;
    let outcome = search.each(|event| {
        let Event::Hit(hit) = event else {
            return Ok(());
        };
        let (index, question) = (hit.span as usize, hit.pattern as usize);
        wanted.insert(index);
        if index != last {
            kept.fill(0);
            last = index;
        }
        let (Some(module), Some(kept)) = (kernel.modules().get(index), kept.get_mut(question))
        else {
            return Ok(());
        };
        *kept += 1;
        if let Ok(rva) = u32::try_from(Virt(hit.address) - module.base)
            && *kept <= MAX_HITS
        {
            gate.hits.push(Hit {
                question,
                module: index,
                rva,
            });
        }
        Ok(())
    });
    gate.stopped = match outcome {
        Ok(()) => search.coverage().stopped_at.is_some(),
        Err(Error::Stopped) => true,
        Err(error) => return Err(error),
    };
    gate.modules = wanted.into_iter().collect();
    Ok(gate)
}

/// Whether the file that stands in for a module holds one of the patterns.
fn file_holds(kernel: &Kernel, readings: &Readings, index: usize, patterns: &Patterns) -> bool {
    let incomplete = |presence: &Presence| !presence.is_whole();
    if !readings.presence(kernel, index).is_some_and(incomplete) {
        return false;
    }
    let bytes = readings
        .file_of(kernel, index)
        .and_then(|file| std::fs::read(file).ok());
    bytes.is_some_and(|bytes| !patterns.find_all(&bytes, 0).is_empty())
}
