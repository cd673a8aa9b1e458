//! The analysis of an image: which functions to look at, in which order, and what each call in them says.

use super::Options;
use super::api::{self, Arg, INTERFACES, Interface, Kind};
use super::callee::{Callee, Callees};
use super::flow::{Call, Function, GaveUp, Walk};
use super::functions::Functions;
use super::image::{Arch, TagImage};
use super::machine::Machine;
use super::memory::{Address, GlobalStore, Memory};
use super::references::References;
use super::report::Coverage;
use super::value::{Atom, Cause, Place, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;

/// Ways to an interface that one function is followed for.
const MAX_TARGETS: usize = 16;
/// Stores to one variable that are remembered.
const MAX_STORES: usize = 16;

/// Where a function that passes a tag on finds one of the numbers.
#[derive(Clone, Debug)]
pub(super) enum Source {
    None,
    Place(Place),
    Field(Place, i32),
    Known(Value),
}

/// A way to an interface: the interface itself, or a function of the image that calls it.
#[derive(Clone, Debug)]
pub(super) struct Target {
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
pub(super) struct Draft {
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
pub(super) struct Loose {
    pub at: u32,
    pub slot: u32,
    pub function: Option<u32>,
    /// Whether the code around it was run, so that the pointer must have gone elsewhere.
    pub seen: bool,
}

/// The state of an analysis.
pub(super) struct Engine<'a, M: Machine> {
    pub image: &'a TagImage,
    pub machine: &'a M,
    pub memory: Memory<'a>,
    pub callees: Callees<'a, M>,
    pub functions: Functions<'a>,
    pub references: References,
    options: &'a Options<'a>,
    targets: BTreeMap<u32, Vec<Target>>,
    pub drafts: BTreeMap<u32, Vec<Draft>>,
    pub stores: HashMap<u32, Vec<GlobalStore>>,
    /// Instructions that loaded a pointer which was then called.
    called: HashSet<u32>,
    /// References in instructions that were run; those that are none after all have no instruction.
    covered: BTreeMap<u32, Option<u32>>,
    pub gave_up: BTreeMap<u32, GaveUp>,
    queue: BTreeSet<u32>,
    pub coverage: Coverage,
    pub stopped: Option<String>,
}

impl<'a, M: Machine> Engine<'a, M> {
    pub(super) fn new(
        machine: &'a M,
        image: &'a TagImage,
        options: &'a Options<'a>,
    ) -> Engine<'a, M> {
        let callees = Callees::new(machine, image);
        let mut wanted: BTreeSet<u32> = callees.interface_slots().map(|(slot, _)| slot).collect();
        wanted.extend(framework_places(image));
        wanted.extend(by_name_slot(image));
        let references = References::find(image, &wanted);
        let pointers = image.relocations.iter();
        let pointers = pointers.filter_map(|&at| Some((image.rva_of(image.pointer(at)?)?, true)));
        let functions = Functions::new(image, references.targets(image).chain(pointers));
        Engine {
            image,
            machine,
            memory: Memory::new(image),
            callees,
            functions,
            references,
            options,
            targets: BTreeMap::new(),
            drafts: BTreeMap::new(),
            stores: HashMap::new(),
            called: HashSet::new(),
            covered: BTreeMap::new(),
            gave_up: BTreeMap::new(),
            queue: BTreeSet::new(),
            coverage: Coverage::default(),
            stopped: None,
        }
    }

    /// Analyses everything that leads to an interface.
    pub(super) fn run(&mut self) {
        if let Some(slot) = by_name_slot(self.image) {
            self.enqueue_places(|target| target == slot);
            self.work();
            self.find_named();
        }
        self.enqueue_places(|_| true);
        let own: Vec<u32> = self.callees.own_interfaces().map(|(rva, _)| rva).collect();
        for rva in own {
            self.enqueue_callers(rva);
        }
        self.work();
        self.follow_variables();
    }

    fn enqueue_places(&mut self, test: impl Fn(u32) -> bool) {
        let places: Vec<u32> = self
            .references
            .places
            .iter()
            .filter(|(_, t)| test(*t))
            .map(|(at, _)| *at)
            .collect();
        for at in places {
            if let Some(function) = self.functions.containing(at) {
                self.queue.insert(function.entry);
            }
        }
    }

    fn enqueue_callers(&mut self, callee: u32) {
        let mut open = vec![callee];
        let mut seen = HashSet::new();
        while let Some(callee) = open.pop() {
            if !seen.insert(callee) {
                continue;
            }
            let callers: Vec<u32> = self.references.callers(callee).collect();
            for at in callers {
                if let Some(function) = self.functions.containing(at) {
                    if self.callees.is_thunk(function.entry) {
                        open.push(function.entry);
                    } else {
                        self.queue.insert(function.entry);
                    }
                }
            }
        }
    }

    /// Analyses what is queued, in rounds: a function is run again when one that it calls turns out to pass a tag on, and
    /// in a round all those turn out that are so many calls away from an interface.
    fn work(&mut self) {
        let mut runs: HashMap<u32, u32> = HashMap::new();
        while !self.queue.is_empty() {
            let mut round = std::mem::take(&mut self.queue);
            while let Some(entry) = round.pop_first() {
                if let Some(why) = self.over_budget() {
                    let left = round.len() + self.queue.len() + 1;
                    self.stopped = Some(format!("{why}: {left} functions were not analysed"));
                    self.queue.clear();
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
        let mut walk = Walk::run(
            self.machine,
            &self.memory,
            &self.callees,
            &function,
            self.options.limits,
        );
        let wanted: Vec<(u32, u32)> = self.places_in(&function).collect();
        walk.reach(&wanted.iter().map(|(at, _)| *at).collect::<Vec<u32>>());
        let mut drafts = Vec::new();
        let mut called = Vec::new();
        let engine = &*self;
        let stores = walk.visit(&mut |call: &Call<'_>| {
            called.push(call.at);
            called.extend_from_slice(call.loads);
            engine.at_call(call, function.entry, &mut drafts);
        });
        self.coverage.analysed += 1;
        self.coverage.steps += u64::from(walk.steps);
        for (at, target) in wanted {
            let Some(instruction) = walk.instruction_at(at) else {
                continue;
            };
            let code = self
                .machine
                .decode(self.image, instruction)
                .map(|(code, _)| code);
            let named = code.and_then(|code| self.machine.names(&code, self.image));
            // the bytes may lie in an instruction by chance
            let real = self.image.arch == Arch::Arm64 || named == Some(target);
            self.covered.insert(at, real.then_some(instruction));
        }
        if let Some(why) = walk.gave_up {
            self.gave_up.insert(function.entry, why);
        }
        drop(walk);
        self.called.extend(called);
        for store in stores {
            let list = self.stores.entry(store.rva).or_default();
            if list.len() < MAX_STORES && !list.iter().any(|s| s.at == store.at) {
                list.push(store);
            }
        }
        self.promote(&function, &drafts);
        self.drafts.insert(function.entry, drafts);
    }

    fn cover_thunk(&mut self, function: &Function) {
        let places: Vec<u32> = self
            .places_in(function)
            .map(|(at, _)| at)
            .filter(|at| at - function.entry < 0x20)
            .collect();
        for at in places {
            self.covered.insert(at, Some(at));
            self.called.insert(at);
        }
    }

    fn places_in<'s>(&'s self, function: &'s Function) -> impl Iterator<Item = (u32, u32)> + 's {
        function.pieces.iter().flat_map(move |&(begin, end)| {
            let places = &self.references.places;
            let from = places.partition_point(|&(at, _)| at < begin);
            places
                .iter()
                .skip(from)
                .take_while(move |&&(at, _)| at < end)
                .copied()
        })
    }

    /// One call: a draft for each interface that it may reach.
    fn at_call(&self, call: &Call<'_>, function: u32, drafts: &mut Vec<Draft>) {
        let certain = call.callees.len() == 1;
        for callee in call.callees {
            let direct;
            let targets: &[Target] = match callee {
                Callee::Interface(number, dynamic) => {
                    direct = interface_target(self.machine, self.image, *number, *dynamic);
                    direct.as_slice()
                }
                Callee::Function(rva) if *rva != function => {
                    self.targets.get(rva).map_or(&[], Vec::as_slice)
                }
                _ => &[],
            };
            let wrapper = match callee {
                Callee::Function(rva) => Some(*rva),
                _ => None,
            };
            for target in targets {
                let Some(interface) = api::get(target.interface) else {
                    continue;
                };
                let service = self.service(interface, call, wrapper.is_some());
                if service == Some(false) {
                    continue;
                }
                let tag = match interface.kind {
                    // what is passed is the address of a table of tags
                    Kind::Registration => {
                        self.value_of(&target.tag, call, self.image.arch.pointer())
                    }
                    _ => self.value_of(&target.tag, call, 4),
                };
                let tag = if service.is_none() {
                    Value::unknown(Cause::Computed, call.at)
                } else {
                    tag
                };
                let width = if interface.choice == api::Choice::Flags {
                    self.image.arch.pointer()
                } else {
                    4
                };
                let draft = Draft {
                    at: call.at,
                    function,
                    interface: target.interface,
                    dynamic: target.dynamic,
                    certain,
                    tag,
                    pool: self.value_of(&target.pool, call, width),
                    size: match target.size {
                        Source::Field(..) => self.value_of(&target.size, call, 4),
                        _ => self.value_of(&target.size, call, self.image.arch.pointer()),
                    },
                    depth: target.depth,
                    wrapper,
                };
                drafts.push(draft);
            }
        }
    }

    /// Whether the call asks for the service that takes a tag; `None` if that is not known.
    fn service(&self, interface: &Interface, call: &Call<'_>, wrapped: bool) -> Option<bool> {
        match interface.only_if {
            Some((argument, number)) if !wrapped => {
                let place = argument_place(self.machine, self.image, interface, argument);
                Some(
                    self.callees
                        .at_call(call.state, place, 4, call.tail)
                        .constant()?
                        == number,
                )
            }
            _ => Some(true),
        }
    }

    fn value_of(&self, source: &Source, call: &Call<'_>, width: u32) -> Value {
        let pointer = self.image.arch.pointer();
        let read =
            |place: Place, width: u32| self.callees.at_call(call.state, place, width, call.tail);
        match source {
            Source::None => Value::unknown(Cause::Unset, 0),
            Source::Known(value) => value.clone(),
            Source::Place(place) => {
                let value = read(*place, width);
                // a number of four bytes on the stack is written as four bytes
                if value.is_known() || width == 4 {
                    value
                } else {
                    read(*place, 4)
                }
            }
            Source::Field(place, offset) => {
                let base = read(*place, pointer);
                let address = Address::behind(base, i64::from(*offset));
                self.memory
                    .load(call.state, &address, width, false, call.at)
            }
        }
    }

    /// A function whose own argument is the tag becomes an interface itself.
    fn promote(&mut self, function: &Function, drafts: &[Draft]) {
        let mut new = false;
        for draft in drafts
            .iter()
            .filter(|d| d.depth < self.options.wrapper_depth)
        {
            let sources = draft
                .tag
                .facts()
                .iter()
                .filter_map(|f| passed_on(self.machine, f.atom));
            let sources: Vec<Source> = sources.collect();
            for tag in sources {
                let known = self.targets.entry(function.entry).or_default();
                let same = |t: &Target| t.interface == draft.interface && key(&t.tag) == key(&tag);
                if known.len() >= MAX_TARGETS || known.iter().any(same) {
                    continue;
                }
                let other =
                    |value: &Value| match value.only().and_then(|a| passed_on(self.machine, a)) {
                        Some(source) => source,
                        None => Source::Known(value.clone()),
                    };
                known.push(Target {
                    interface: draft.interface,
                    dynamic: draft.dynamic,
                    tag,
                    pool: other(&draft.pool),
                    size: other(&draft.size),
                    depth: draft.depth + 1,
                });
                new = true;
            }
        }
        if new {
            self.enqueue_callers(function.entry);
        }
    }

    /// Whether the function passes tags on, and its callers were analysed.
    pub(super) fn passes_on(&self, function: u32) -> bool {
        self.targets.contains_key(&function)
    }

    /// Functions that pass tags on.
    pub(super) fn wrappers(&self) -> impl Iterator<Item = u32> + '_ {
        self.targets.keys().copied()
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
            .places
            .extend(References::places_of(self.image, &wanted));
        self.references.places.sort_unstable();
    }

    /// Tags, pools and sizes that come from variables: analyses whoever writes these.
    fn follow_variables(&mut self) {
        let drafts = self.drafts.values().flatten();
        let values = drafts.flat_map(|d| [&d.tag, &d.pool, &d.size]);
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
        for (at, _) in References::places_of(self.image, &wanted) {
            if let Some(function) = self.functions.containing(at)
                && !self.drafts.contains_key(&function.entry)
            {
                self.queue.insert(function.entry);
            }
        }
        self.work();
    }

    /// References that lead to no call.
    pub(super) fn loose(&mut self) -> Vec<Loose> {
        let slots: HashSet<u32> = self
            .callees
            .interface_slots()
            .map(|(slot, _)| slot)
            .collect();
        let mut loose = Vec::new();
        for &(at, slot) in self
            .references
            .places
            .iter()
            .filter(|(_, t)| slots.contains(t))
        {
            let instruction = self.covered.get(&at).copied();
            if instruction == Some(None) {
                continue;
            }
            self.coverage.references += 1;
            if instruction
                .flatten()
                .is_some_and(|i| self.called.contains(&i))
            {
                self.coverage.followed += 1;
                continue;
            }
            let function = self.functions.containing(at).map(|f| f.entry);
            loose.push(Loose {
                at,
                slot,
                function,
                seen: instruction.is_some(),
            });
        }
        loose
    }
}

/// The pointer to the framework's table, or the entries of it that matter.
fn framework_places(image: &TagImage) -> Vec<u32> {
    match image.wdf {
        None => Vec::new(),
        Some(wdf) if !wdf.inline => vec![wdf.table],
        Some(wdf) => (0..wdf.functions)
            .filter(|&i| api::by_framework_index(i).is_some())
            .filter_map(|i| wdf.table.checked_add(i * image.arch.pointer()))
            // code that is not optimised adds the index to the table's beginning
            .chain([wdf.table])
            .collect(),
    }
}

/// The slot of `MmGetSystemRoutineAddress`, if the image also holds the name of an interface that it could ask for.
fn by_name_slot(image: &TagImage) -> Option<u32> {
    let slot = image
        .imports
        .iter()
        .find(|i| i.name == "MmGetSystemRoutineAddress")?
        .slot;
    INTERFACES
        .iter()
        .any(|i| image.holds_wide_text(i.name))
        .then_some(slot)
}

fn argument_place<M: Machine>(
    machine: &M,
    image: &TagImage,
    interface: &Interface,
    argument: u8,
) -> Place {
    match image.arch {
        Arch::X86 => Place::Stack(4 + 4 * i32::from(interface.x86_word(argument))),
        _ => machine.abi().place(argument),
    }
}

fn interface_target<M: Machine>(
    machine: &M,
    image: &TagImage,
    number: u16,
    dynamic: bool,
) -> Vec<Target> {
    let Some(interface) = api::get(number) else {
        return Vec::new();
    };
    let source = |arg: Arg| match arg {
        Arg::None => Source::None,
        Arg::At(n) => Source::Place(argument_place(machine, image, interface, n)),
        Arg::In(n, wide, narrow) => {
            let offset = Interface::offset(image.arch, wide, narrow);
            Source::Field(argument_place(machine, image, interface, n), offset)
        }
    };
    vec![Target {
        interface: number,
        dynamic,
        tag: source(interface.tag),
        pool: source(interface.pool),
        size: source(interface.size),
        depth: 0,
    }]
}

/// Where the callers of a function put what its body uses: only places that a calling convention knows.
fn passed_on<M: Machine>(machine: &M, atom: Atom) -> Option<Source> {
    let abi = machine.abi();
    let usual = |place: Place| match place {
        Place::Register(register) => {
            abi.arguments.contains(&register) || (abi.pointer == 4 && register != abi.stack_pointer)
        }
        Place::Stack(offset) => offset >= abi.first_on_stack,
    };
    match atom {
        Atom::Entry(place) if usual(place) => Some(Source::Place(place)),
        Atom::Field(place, offset) if usual(place) => Some(Source::Field(place, offset)),
        _ => None,
    }
}

fn key(source: &Source) -> Option<(Place, Option<i32>)> {
    match source {
        Source::Place(place) => Some((*place, None)),
        Source::Field(place, offset) => Some((*place, Some(*offset))),
        Source::None | Source::Known(_) => None,
    }
}
