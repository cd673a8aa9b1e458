//! Drivers like others: an image with real code that allocates and frees pool under the driver's tags, in the ways in
//! which compilers and the driver framework do it.

use super::kernel::{COMMON, Exports};
use crate::code::{CallStyle, Code};
use crate::image::{DATA, Fate, INIT, Image, Import, PAGE, RDATA, RSRC, TEXT};
use crate::plan::{Driver, Module, Plan, Style};
use crate::random::Random;
use crate::version;
use rkd_dump::addr::Rva;

mod framework;

pub(super) use framework::{bind, globals_of};

const PAGE_SIZE: u32 = 0x1000;
/// The name under which the framework's table is noted.
const FRAMEWORK_TABLE: &str = "WdfFunctions";

/// Where the parts of a driver lie.
struct Places {
    text: u32,
    rdata: u32,
    data: u32,
    pdata: u32,
}

/// The driver's variables.
const FUNCTIONS_AT: u32 = 0x40;
const GLOBALS_AT: u32 = 0x48;
const LISTS_AT: u32 = 0x80;
const POINTERS_AT: u32 = 0xa00;
/// The framework's own table of functions, in its `.data`.
const TABLE_AT: u32 = 0x10;

/// What the code of a driver refers to.
struct Context<'a> {
    places: Places,
    imports: &'a [Import],
    foreign: &'a [Import],
    /// The slot of the control flow guard's dispatcher.
    guard: Rva,
    style: Style,
    allocator: &'static str,
    paged: Option<bool>,
    plan: &'a Plan,
}

impl Context<'_> {
    fn slot(&self, name: &str) -> Rva {
        // each list ends in an empty slot
        let all = self.imports.iter().map(|i| i.name.as_str());
        let all = all
            .chain([""])
            .chain(self.foreign.iter().map(|i| i.name.as_str()));
        let index = all.clone().position(|import| import == name).unwrap_or(0) as u32;
        Rva(self.places.rdata + 8 * index)
    }

    fn is_paged(&self, tag: [u8; 4]) -> bool {
        self.paged.unwrap_or_else(|| self.plan.is_paged(tag))
    }

    fn variable(&self, offset: u32) -> Rva {
        Rva(self.places.data + offset)
    }
}

/// Makes the image, and notes what it exports.
pub(super) fn image(plan: &Plan, module: &Module, driver: &Driver, exports: &mut Exports) -> Image {
    let mut image = Image::new(module.base, module.size);
    image.time_stamp = module.time_stamp;
    image.checksum = module.checksum;
    let places = sections(&mut image, module, driver);
    let imports = imports(module, driver, exports);
    let foreign = foreign(driver, exports);
    let slots = imports.len() + 1 + foreign.len() + usize::from(!foreign.is_empty());
    let guard = Rva(places.rdata + 8 * slots as u32);
    let allocator = allocator(driver.style, exports);
    let context = Context {
        places,
        imports: &imports,
        foreign: &foreign,
        guard,
        style: driver.style,
        allocator,
        paged: driver.paged,
        plan,
    };
    let mut code = Code::new(Rva(context.places.text));
    if driver.stops {
        emit_stop(&mut code, &context);
    }
    let dispatch = emit_helpers(&mut code);
    let mut exported = Vec::new();
    for &name in driver.exports {
        code.begin(0x28);
        exported.push((name, Rva(code.here().0 - 4)));
        code.emit(&[0x33, 0xc0]).end();
    }
    if let Some((name, tag)) = driver.allocator {
        exported.push((name, emit_allocator(&mut code, &context, tag)));
    }
    for name in driver.uses.iter().flat_map(|(_, names)| names.iter()) {
        emit_use(&mut code, &context, name);
    }
    if driver.ballast_kib > 0 {
        emit_ballast(&mut code, &context, driver.ballast_kib * 1024);
    }
    if driver.leaves_tag {
        framework::emit_create(&mut code, &context);
        framework::emit_memory(&mut code, &context, 0, 0x400);
    }
    for (index, tag) in driver.tags.iter().enumerate() {
        emit_user_of(&mut code, &context, *tag, index as u32);
    }
    let (bytes, functions) = code.finish();
    let places = context.places;
    image.put(Rva(places.text), bytes);
    let mut at = put_load_config(&mut image, guard, dispatch);
    at += image.unwind(Rva(places.pdata), Rva(at), &functions);
    if driver.style == Style::Framework {
        at += framework::put_record(&mut image, &places, Rva(at.next_multiple_of(16))) + 16;
    }
    at = at.next_multiple_of(16);
    at += put_debug_record(&mut image, module, Rva(at));
    if !exported.is_empty() {
        image.exports(Rva(at.next_multiple_of(16)), &module.name, &exported);
        for (name, rva) in exported {
            exports.add(name, module.base + rva);
        }
    }
    put_variables(&mut image, driver, &places, exports, dispatch);
    let init = image
        .sections()
        .iter()
        .find(|section| section.name == "INIT")
        .map_or(places.text, |s| s.rva.0);
    image.entry = Rva(init + 0x10);
    let mut libraries = vec![("ntoskrnl.exe", imports)];
    libraries.extend(driver.uses.map(|(library, _)| (library, foreign)));
    image.imports(Rva(init + 0x100), Rva(places.rdata), &libraries);
    image
}

/// The slots of the control flow guard – the one that calls through, and behind it the one that only checks – and the load
/// configuration that names them. Returns the end.
fn put_load_config(image: &mut Image, guard: Rva, dispatch: Rva) -> u32 {
    let check = Rva(guard.0 + 8);
    image.put(guard, (image.base + dispatch).0.to_le_bytes().to_vec());
    let harmless = image.base + Rva(dispatch.0 & !0xf);
    image.put(check, harmless.0.to_le_bytes().to_vec());
    let mut config = 0x94_u32.to_le_bytes().to_vec();
    config.resize(0x70, 0);
    config.extend_from_slice(&(image.base + check).0.to_le_bytes());
    config.extend_from_slice(&(image.base + guard).0.to_le_bytes());
    config.resize(0x94, 0);
    let at = Rva((check.0 + 8).next_multiple_of(16));
    image.load_config(at, config);
    at.0 + 0xa0
}

fn put_debug_record(image: &mut Image, module: &Module, at: Rva) -> u32 {
    let mut random = Random::named(&module.name);
    let mut guid = [0; 16];
    guid[..8].copy_from_slice(&random.next_u64().to_le_bytes());
    guid[8..].copy_from_slice(&random.next_u64().to_le_bytes());
    let stem = module
        .name
        .rsplit_once('.')
        .map_or(module.name.as_str(), |(stem, _)| stem);
    image.debug_record(at, guid, 1, &format!("{stem}.pdb"))
}

/// The pointer to the framework's table; in the framework itself, the table.
fn put_variables(
    image: &mut Image,
    driver: &Driver,
    places: &Places,
    exports: &mut Exports,
    dispatch: Rva,
) {
    let data = Rva(places.data);
    if driver.exports.contains(&"WdfVersionBind") {
        let entry = (image.base + Rva(dispatch.0 & !0xf)).0.to_le_bytes();
        image.put(
            Rva(data.0 + TABLE_AT),
            entry.repeat(framework::FUNCTIONS as usize),
        );
        exports.add(FRAMEWORK_TABLE, image.base + Rva(data.0 + TABLE_AT));
    }
    if let Some(table) = exports
        .other(FRAMEWORK_TABLE)
        .filter(|_| driver.style == Style::Framework)
    {
        image.put(Rva(data.0 + FUNCTIONS_AT), table.0.to_le_bytes().to_vec());
    }
}

/// One page each of what stays in memory, and as much pageable code as the image is large.
fn sections(image: &mut Image, module: &Module, driver: &Driver) -> Places {
    let pages = module.size / PAGE_SIZE;
    let text_pages = if driver.exports.len() + driver.tags.len() * 2 > 50 {
        2
    } else {
        1
    };
    let text_pages = text_pages + driver.ballast_kib / 4;
    let mut at = PAGE_SIZE;
    let mut next = |name, count: u32, flags, fate| {
        let start = at;
        image.section(name, start, count * PAGE_SIZE, flags, fate);
        at += count * PAGE_SIZE;
        start
    };
    let places = Places {
        text: match driver.away {
            true => next("PAGE", text_pages, PAGE, Fate::PagedOut),
            false => next(".text", text_pages, TEXT, Fate::Resident),
        },
        rdata: next(".rdata", 1, RDATA, Fate::Resident),
        data: next(".data", 1, DATA, Fate::Resident),
        pdata: next(".pdata", 1, RDATA, Fate::Resident),
    };
    let resources = if driver.version.is_some() {
        Fate::Resident
    } else {
        Fate::PagedOut
    };
    let rest = pages.saturating_sub(text_pages + 4);
    if rest > 3 {
        next(
            if driver.away { "PAGEDATA" } else { "PAGE" },
            rest - 3,
            PAGE,
            Fate::PagedOut,
        );
    }
    next("INIT", 1, INIT, Fate::Discarded);
    if rest > 1 {
        let place = next(".rsrc", 1, RSRC, resources);
        if rest > 2 {
            next(".reloc", 1, RSRC, Fate::Discarded);
        }
        if let Some(version) = &driver.version {
            image.resources(Rva(place), version::resources(version, place));
        }
    }
    places
}

/// What the driver imports: some of what every driver does, and the functions that its style needs.
fn imports(module: &Module, driver: &Driver, exports: &Exports) -> Vec<Import> {
    let mut random = Random::named(&module.name);
    let mut names: Vec<&str> = COMMON.into_iter().filter(|_| random.below(3) > 0).collect();
    let allocates = !driver.tags.is_empty() || driver.allocator.is_some();
    if allocates && driver.style != Style::Framework {
        names.push(allocator(driver.style, exports));
        names.push("ExFreePoolWithTag");
        if driver.style == Style::Lookaside {
            names.push("ExInitializeNPagedLookasideList");
            names.push("ExInitializePagedLookasideList");
        }
    }
    if driver.stops {
        names.push("KeBugCheckEx");
    }
    let known = names.into_iter();
    known
        .filter_map(|name| {
            Some(Import {
                name: name.to_owned(),
                target: exports.kernel(name)?,
            })
        })
        .collect()
}

/// What it imports of another driver.
fn foreign(driver: &Driver, exports: &Exports) -> Vec<Import> {
    let names = driver.uses.iter().flat_map(|(_, names)| names.iter());
    names
        .filter_map(|name| {
            Some(Import {
                name: (*name).to_owned(),
                target: exports.other(name)?,
            })
        })
        .collect()
}

fn allocator(style: Style, exports: &Exports) -> &'static str {
    if style == Style::Modern && exports.kernel("ExAllocatePool2").is_some() {
        "ExAllocatePool2"
    } else {
        "ExAllocatePoolWithTag"
    }
}

/// Where the call of `KeBugCheckEx` in a driver that stops the machine returns to.
pub(super) const RETURN_FROM_STOP: u64 = 0x1020;
/// Where the two functions behind it are returned to.
pub(super) const RETURN_FROM_KEYS: u64 = 0x1039;
pub(super) const RETURN_FROM_COMPLETION: u64 = 0x104a;

/// `KeBugCheckEx(0xe2, 0, 0, 0, 0)`, as the keyboard's driver calls it when the keys for it are pressed.
fn emit_stop(code: &mut Code, context: &Context<'_>) {
    let stop = code.here();
    code.begin(0x28).mov_ecx(0xe2);
    code.emit(&[0x33, 0xd2, 0x45, 0x33, 0xc0, 0x45, 0x33, 0xc9]);
    code.emit(&[0x48, 0xc7, 0x44, 0x24, 0x20, 0, 0, 0, 0]);
    code.call(context.slot("KeBugCheckEx"), CallStyle::Plain)
        .end();
    // who looks at the keys that were pressed, when a request is completed
    code.begin(0x28).emit(&[0xe8]).relative(stop).end();
    // and who completes it
    code.begin(0x28);
    code.call(context.slot("IofCompleteRequest"), CallStyle::Plain)
        .end();
}

/// `jmp rax`, to which calls through the guard's dispatcher go where the guard is off, and a plain function.
fn emit_helpers(code: &mut Code) -> Rva {
    code.begin(0x28).emit(&[0x33, 0xc0]).end();
    let aligned = Rva(code.here().0.next_multiple_of(16));
    code.pad_to(aligned).emit(&[0xff, 0xe0]);
    aligned
}

/// Functions that compute and call one another, as most code of a driver does.
fn emit_ballast(code: &mut Code, context: &Context<'_>, bytes: u32) {
    let end = code.here().0 + bytes - 0x400;
    let mut random = Random::new(u64::from(bytes));
    let mut last = None;
    while code.here().0 < end {
        code.begin(0x28);
        let start = Rva(code.here().0 - 4);
        for _ in 0..random.between(4, 40) {
            match random.below(4) {
                0 => code.mov_ecx(random.next_u32()),
                1 => code.emit(&[0x8b, 0xc1]), // mov eax, ecx
                2 => code.emit(&[0x03, 0xc2]), // add eax, edx
                _ => code
                    .emit(&[0x48, 0x8b, 0x05])
                    .relative(context.variable(POINTERS_AT)),
            };
        }
        if let Some(callee) = last.filter(|_| random.below(3) == 0) {
            code.emit(&[0xe8]).relative(callee);
        }
        code.end();
        last = Some(start);
    }
}

/// A function for other drivers: `mov edx, ecx; mov ecx, pool; mov r8d, tag; call allocator`.
fn emit_allocator(code: &mut Code, context: &Context<'_>, tag: [u8; 4]) -> Rva {
    code.begin(0x28);
    let start = Rva(code.here().0 - 4);
    code.emit(&[0x8b, 0xd1]);
    let kind = if context.is_paged(tag) { 1 } else { 0x200 };
    code.mov_ecx(kind).mov_r8d(u32::from_le_bytes(tag));
    code.call(context.slot(context.allocator), CallStyle::Plain)
        .end();
    start
}

/// `mov ecx, size; call function`, with the size of the blocks that the other driver makes.
fn emit_use(code: &mut Code, context: &Context<'_>, function: &str) {
    let tag = context.plan.tag_of_allocator(function);
    let size = tag.and_then(|tag| context.plan.request(tag));
    code.begin(0x28).mov_ecx(size.unwrap_or(0x2000));
    code.call(context.slot(function), CallStyle::Plain).end();
}

/// A function that allocates under the tag and, for every second tag, one that frees.
fn emit_user_of(code: &mut Code, context: &Context<'_>, tag: [u8; 4], index: u32) {
    let value = u32::from_le_bytes(tag);
    // Where the blocks differ, the size is what the function is called with.
    let known = context.plan.request(tag);
    let size = known.unwrap_or(0x20);
    match context.style {
        Style::Framework => framework::emit_memory(code, context, value, size),
        Style::Lookaside => {
            let list = context.variable(LISTS_AT + 0x80 * (index % 16));
            code.begin(0x48)
                .emit(&[0x66, 0xc7, 0x44, 0x24, 0x30, 0, 0])
                .mov_stack(0x28, value);
            code.emit(&[0x48, 0xc7, 0x44, 0x24, 0x20])
                .emit(&size.to_le_bytes());
            code.emit(&[0x45, 0x33, 0xc9, 0x45, 0x33, 0xc0, 0x33, 0xd2])
                .lea_rcx(list);
            let initialize = match context.is_paged(tag) {
                true => "ExInitializePagedLookasideList",
                false => "ExInitializeNPagedLookasideList",
            };
            code.call(context.slot(initialize), CallStyle::Plain).end();
        }
        Style::Classic | Style::Modern => {
            let call = if context.style == Style::Modern {
                CallStyle::Patchable
            } else {
                CallStyle::Plain
            };
            // POOL_FLAG_PAGED, POOL_FLAG_NON_PAGED; PagedPool, NonPagedPoolNx
            let kind = match (context.allocator, context.is_paged(tag)) {
                ("ExAllocatePool2", true) => 0x100,
                ("ExAllocatePool2", false) => 0x40,
                (_, true) => 1,
                (_, false) => 0x200,
            };
            let pointer = context.variable(POINTERS_AT + 8 * index);
            code.begin(0x28).mov_r8d(value);
            match known {
                Some(size) => code.mov_edx(size),
                // mov edx, ecx; nop
                None => code.emit(&[0x8b, 0xd1, 0x0f, 0x1f, 0x00]),
            };
            code.mov_ecx(kind);
            code.call(context.slot(context.allocator), call);
            code.emit(&[0x48, 0x89, 0x05]).relative(pointer).end();
            if index.is_multiple_of(2) {
                code.begin(0x28)
                    .mov_edx(value)
                    .emit(&[0x48, 0x8b, 0x0d])
                    .relative(pointer);
                code.call(context.slot("ExFreePoolWithTag"), call).end();
            }
        }
    }
}
