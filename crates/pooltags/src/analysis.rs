//! The analysis of an image: a worklist of functions, and what each call site in them says. A function that passes its own argument
//! on as a tag gets a summary, and its callers are run (again) as if they called the interface itself.

use super::Options;
use super::callee::Callees;
use super::fixpoint::{Call, Fixpoint, GaveUp};
use super::functions::{Bounds, Functions};
use super::image::TagImage;
use super::lattice::{Atom, Location, Value};
use super::memory::{GlobalStore, Memory};
use super::references::References;
use super::report::Coverage;
use super::transfer;
use rkd_code::Machine;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use worklist::{by_name_slot, framework_slots};

mod call_sites;
mod summaries;
mod worklist;

/// Stores to one variable that are remembered.
const MAX_STORES: usize = 16;

/// Where a function that passes a tag on finds one of the numbers.
#[derive(Clone, Debug)]
pub(super) enum Source {
    None,
    Location(Location),
    Field(Location, i32),
    Known(Value),
}

/// A wrapper summary: how a function of the image reaches an interface. The interface itself has the simplest one.
#[derive(Clone, Debug)]
pub(super) struct Summary {
    pub interface: u16,
    /// Its pointer is found at run time.
    pub dynamic: bool,
    pub tag: Source,
    pub pool: Source,
    pub size: Source,
    /// Functions of the image in between.
    pub depth: u8,
}

/// A call that reaches an interface, with the values that it passes.
#[derive(Clone, Debug)]
pub(super) struct CallSite {
    pub at: u32,
    pub function: u32,
    pub interface: u16,
    pub dynamic: bool,
    /// Whether nothing else can be called here.
    pub certain: bool,
    pub tag: Value,
    pub pool: Value,
    pub size: Value,
    pub depth: u8,
    pub wrapper: Option<u32>,
}

/// A reference that leads to no call.
#[derive(Clone, Copy, Debug)]
pub(super) struct UncalledReference {
    pub at: u32,
    pub slot: u32,
    pub function: Option<u32>,
    /// Whether the code around it was run, so that the pointer must have gone elsewhere.
    pub seen: bool,
}

/// The state of an analysis.
pub(super) struct Analysis<'a> {
    pub image: &'a TagImage,
    pub memory: Memory<'a>,
    pub callees: Callees<'a>,
    pub functions: Functions<'a>,
    pub references: References,
    options: &'a Options<'a>,
    summaries: BTreeMap<u32, Vec<Summary>>,
    pub call_sites: BTreeMap<u32, Vec<CallSite>>,
    pub stores: HashMap<u32, Vec<GlobalStore>>,
    /// Instructions that loaded a pointer which was then called.
    called: HashSet<u32>,
    /// References in instructions that were run; those that are none after all have no instruction.
    covered: BTreeMap<u32, Option<u32>>,
    pub gave_up: BTreeMap<u32, GaveUp>,
    worklist: BTreeSet<u32>,
    pub coverage: Coverage,
    pub stopped: Option<String>,
}

impl<'a> Analysis<'a> {
    pub(super) fn new(image: &'a TagImage, options: &'a Options<'a>) -> Analysis<'a> {
        let callees = Callees::new(image);
        let mut wanted: BTreeSet<u32> = callees.interface_slots().map(|(slot, _)| slot).collect();
        wanted.extend(framework_slots(image));
        wanted.extend(by_name_slot(image));
        let references = References::find(image, &wanted);
        let pointers = image.relocations.iter();
        let pointers = pointers.filter_map(|&at| Some((image.rva_of(image.pointer(at)?)?, true)));
        let functions = Functions::new(image, references.targets(image).chain(pointers));
        Analysis {
            image,
            memory: Memory::new(image),
            callees,
            functions,
            references,
            options,
            summaries: BTreeMap::new(),
            call_sites: BTreeMap::new(),
            stores: HashMap::new(),
            called: HashSet::new(),
            covered: BTreeMap::new(),
            gave_up: BTreeMap::new(),
            worklist: BTreeSet::new(),
            coverage: Coverage::default(),
            stopped: None,
        }
    }

    /// Analyses everything that leads to an interface.
    pub(super) fn run(&mut self) {
        if let Some(slot) = by_name_slot(self.image) {
            self.enqueue_references(|target| target == slot);
            self.run_worklist();
            self.find_named();
        }
        self.enqueue_references(|_| true);
        let own: Vec<u32> = self.callees.own_interfaces().map(|(rva, _)| rva).collect();
        for rva in own {
            self.enqueue_callers(rva);
        }
        self.run_worklist();
        self.follow_variables();
    }

    /// Analyses what is queued, in rounds: a function is run again when one that it calls turns out to pass a tag on, and
    /// in a round all those turn out that are so many calls away from an interface.
    fn run_worklist(&mut self) {
        let mut runs: HashMap<u32, u32> = HashMap::new();
        while !self.worklist.is_empty() {
            let mut round = std::mem::take(&mut self.worklist);
            while let Some(entry) = round.pop_first() {
                if let Some(why) = self.over_budget() {
                    let left = round.len() + self.worklist.len() + 1;
                    self.stopped = Some(format!("{why}: {left} functions were not analysed"));
                    self.worklist.clear();
                    return;
                }
                let count = runs.entry(entry).or_default();
                *count += 1;
                if *count <= u32::from(self.options.wrapper_depth) + 2 {
                    self.function(entry);
                }
            }
        }
    }

    fn over_budget(&self) -> Option<&'static str> {
        if self
            .options
            .stop
            .is_some_and(|stop| stop.load(Ordering::Relaxed))
        {
            return Some("stopped");
        }
        (self.coverage.steps > self.options.image_steps)
            .then_some("the image costs too much to follow")
    }

    fn function(&mut self, entry: u32) {
        let Some(function) = self.functions.containing(entry) else {
            return;
        };
        // how the kernel allocates is not its callers' affair
        let pool =
            |name: &str| name.starts_with("ExAllocatePool") || name.starts_with("ExFreePool");
        if self
            .image
            .exports
            .iter()
            .any(|(name, rva)| *rva == function.entry && pool(name))
        {
            return;
        }
        if self.callees.is_thunk(function.entry) {
            self.cover_thunk(&function);
            self.enqueue_callers(function.entry);
            return;
        }
        let mut fixpoint =
            Fixpoint::of(&self.memory, &self.callees, &function, self.options.limits);
        let wanted: Vec<(u32, u32)> = self.operands_in(&function).collect();
        fixpoint.reach(&wanted.iter().map(|(at, _)| *at).collect::<Vec<u32>>());
        let mut call_sites = Vec::new();
        let mut called = Vec::new();
        let engine = &*self;
        let stores = fixpoint.visit(&mut |call: &Call<'_>| {
            called.push(call.at);
            called.extend_from_slice(call.loads);
            engine.at_call(call, function.entry, &mut call_sites);
        });
        self.coverage.analysed += 1;
        self.coverage.steps += u64::from(fixpoint.steps);
        for (at, target) in wanted {
            let Some(instruction) = fixpoint.instruction_at(at) else {
                continue;
            };
            let named = transfer::named_address(instruction, self.image);
            // the bytes may lie in an instruction by chance
            let real = self.image.machine == Machine::Arm64 || named == Some(target);
            let instruction = transfer::rva(instruction);
            self.covered.insert(at, real.then_some(instruction));
        }
        if let Some(why) = fixpoint.gave_up {
            self.gave_up.insert(function.entry, why);
        }
        drop(fixpoint);
        self.called.extend(called);
        for store in stores {
            let list = self.stores.entry(store.rva).or_default();
            if list.len() < MAX_STORES && !list.iter().any(|s| s.at == store.at) {
                list.push(store);
            }
        }
        self.promote(&function, &call_sites);
        self.call_sites.insert(function.entry, call_sites);
    }

    fn cover_thunk(&mut self, function: &Bounds) {
        let operands: Vec<u32> = self
            .operands_in(function)
            .map(|(at, _)| at)
            .filter(|at| at - function.entry < 0x20)
            .collect();
        for at in operands {
            self.covered.insert(at, Some(at));
            self.called.insert(at);
        }
    }

    fn operands_in<'s>(&'s self, function: &'s Bounds) -> impl Iterator<Item = (u32, u32)> + 's {
        function.pieces.iter().flat_map(move |&(begin, end)| {
            let operands = &self.references.operands;
            let from = operands.partition_point(|&(at, _)| at < begin);
            operands
                .iter()
                .skip(from)
                .take_while(move |&&(at, _)| at < end)
                .copied()
        })
    }

    /// Variables that hold a function found by name.
    fn find_named(&mut self) {
        let mut named = HashMap::new();
        for (rva, stores) in &self.stores {
            for fact in stores.iter().flat_map(|s| s.value.facts()) {
                if let Atom::Named(number) = fact.atom {
                    named.insert(*rva, number);
                }
            }
        }
        let wanted: BTreeSet<u32> = named.keys().copied().collect();
        self.callees.named = named;
        self.references
            .operands
            .extend(References::operands_naming(self.image, &wanted));
        self.references.operands.sort_unstable();
    }

    /// Tags, pools and sizes that come from variables: analyses whoever writes these.
    fn follow_variables(&mut self) {
        let call_sites = self.call_sites.values().flatten();
        let values = call_sites.flat_map(|d| [&d.tag, &d.pool, &d.size]);
        let wanted: BTreeSet<u32> = values
            .flat_map(|v| v.facts())
            .filter_map(|f| match f.atom {
                Atom::Global(rva, _) => Some(rva),
                _ => None,
            })
            .collect();
        if wanted.is_empty() {
            return;
        }
        for (at, _) in References::operands_naming(self.image, &wanted) {
            if let Some(function) = self.functions.containing(at)
                && !self.call_sites.contains_key(&function.entry)
            {
                self.worklist.insert(function.entry);
            }
        }
        self.run_worklist();
    }
}
