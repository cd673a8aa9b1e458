//! Who is to blame for a bug check: what its own arguments lead to, what Windows noted, and the calls on the stack.

use super::Kernel;
use super::bugcheck::{Clue, Lead};
use super::stack::Stack;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::{Error, Result};

/// Modules that stand on a stack because they serve all others, by kd's names.
const SERVANTS: [&str; 4] = ["nt", "hal", "VerifierExt", "Wdf01000"];

/// Words of a stack that are looked at behind the last call that was found: the largest kernel stack has 0x12000 bytes.
const WORDS: u64 = 0x12000 / 8;

/// What marks an object of the I/O manager, and where it leads on. These are part of the interface of drivers (wdm.h), and the
/// same in all 64-bit Windows.
const TYPE_DEVICE: u16 = 3;
const TYPE_DRIVER: u16 = 4;
const TYPE_REQUEST: u16 = 6;
const REQUEST_STACK_LOCATION: u64 = 0xb8;
const STACK_LOCATION_DEVICE: u64 = 0x28;
const DEVICE_DRIVER: u64 = 0x08;
const DRIVER_START: u64 = 0x18;

/// Who is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blame {
    /// The instruction, or another address in the module; `None` where only the module's name is known.
    pub at: Option<Virt>,
    /// kd's name of the module.
    pub module: String,
    /// Its file's name.
    pub image: String,
    /// What it is concluded from.
    pub because: String,
}

/// What was passed on the way from a bug check's arguments to the driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The request (`_IRP`).
    pub request: Option<Virt>,
    /// The device object that has it, or that the bug check names.
    pub device: Option<Virt>,
    /// The driver's object.
    pub driver: Option<Virt>,
    /// Where the trail was lost, and why.
    pub lost: Vec<String>,
}

/// Follows the trails. A bug check's arguments come first, then the driver that Windows itself noted, then the exception, then
/// the calls on the stack; the kernel is named only where nothing leads to another.
pub fn blame(
    kernel: &Kernel,
    clues: &[Clue],
    exception: Option<Virt>,
    stack: &Stack,
) -> (Option<Blame>, Trail) {
    let mut trail = Trail::default();
    let by_arguments = by_arguments(kernel, clues, &mut trail);
    let of = |at: Virt, because: &str| kernel.blamed(at, because);
    let found = by_arguments
        .or_else(|| noted(kernel))
        .or_else(|| of(exception?, "the exception names the instruction"))
        .or_else(|| {
            let mut calls = stack.frames.iter().map(|frame| frame.at);
            calls.find_map(|at| {
                of(
                    at,
                    "the first call on the stack that is not the kernel's own",
                )
            })
        })
        .or_else(|| left_on_stack(kernel, stack))
        .or_else(|| own(kernel, clues, stack));
    (found, trail)
}

fn by_arguments(kernel: &Kernel, clues: &[Clue], trail: &mut Trail) -> Option<Blame> {
    // Code is surer than a request, and a request, which its driver has now, surer than a device whose stack has several.
    const ORDER: [Lead; 5] = [
        Lead::Code,
        Lead::Request,
        Lead::Driver,
        Lead::Device,
        Lead::Name,
    ];
    let mut found = None;
    for lead in ORDER {
        for clue in clues.iter().filter(|clue| clue.lead == lead) {
            let because = format!("the bug check's parameter {} {}", clue.argument, says(lead));
            let outcome = match lead {
                Lead::Code => Ok(kernel.blamed(clue.at, &because)),
                Lead::Name => {
                    name_at(kernel, clue.at).map(|name| kernel.blamed_name(&name, &because))
                }
                lead => {
                    follow(kernel, lead, clue.at, trail).map(|start| kernel.blamed(start, &because))
                }
            };
            match outcome {
                Ok(blame) => found = found.or(blame),
                Err(why) => trail
                    .lost
                    .push(format!("parameter {}: {why}", clue.argument)),
            }
        }
    }
    found
}

fn says(lead: Lead) -> &'static str {
    match lead {
        Lead::Code => "is an address in it",
        Lead::Request => "is a request that it has",
        Lead::Device => "is a device object of it",
        Lead::Driver => "is its driver object",
        Lead::Name => "is its name",
        Lead::Exception | Lead::Context => "leads to it",
    }
}

/// From an object of the I/O manager to the start of the driver's image.
fn follow(kernel: &Kernel, lead: Lead, at: Virt, trail: &mut Trail) -> Result<Virt> {
    let space = kernel.space();
    let is = |what: &str, at: Virt, wanted: u16| -> Result<Virt> {
        let mut bytes = [0; 2];
        space.read(at, &mut bytes)?;
        match u16::from_le_bytes(bytes) == wanted {
            true => Ok(at),
            false => Err(Error::NotFound(format!("there is no {what} at {at}"))),
        }
    };
    let device = match lead {
        Lead::Request => {
            let request = is("request (IRP)", at, TYPE_REQUEST)?;
            trail.request.get_or_insert(request);
            let location = space.read_virt(request + REQUEST_STACK_LOCATION)?;
            Some(space.read_virt(location + STACK_LOCATION_DEVICE)?)
        }
        Lead::Device => Some(at),
        _ => None,
    };
    let driver = match device {
        Some(device) => {
            let device = is("device object", device, TYPE_DEVICE)?;
            trail.device.get_or_insert(device);
            space.read_virt(device + DEVICE_DRIVER)?
        }
        None => at,
    };
    let driver = is("driver object", driver, TYPE_DRIVER)?;
    trail.driver.get_or_insert(driver);
    Ok(space.read_virt(driver + DRIVER_START)?)
}

/// The text of a `UNICODE_STRING`.
fn name_at(kernel: &Kernel, at: Virt) -> Result<String> {
    const LONGEST: usize = 512;
    let space = kernel.space();
    let mut length = [0; 2];
    space.read(at, &mut length)?;
    let length = usize::from(u16::from_le_bytes(length));
    let mut bytes = [0; LONGEST];
    let bytes = bytes
        .get_mut(..length)
        .ok_or_else(|| Error::NotFound(format!("there is no name at {at}")))?;
    space.read(space.read_virt(at + 8)?, bytes)?;
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit));
    Ok(char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect())
}

/// The driver that Windows itself wrote into a triage dump as the one to blame.
fn noted(kernel: &Kernel) -> Option<Blame> {
    let name = kernel.dump().triage()?.broken_driver()?;
    kernel.blamed_name(&name, "Windows noted its name in the dump")
}

/// Behind the calls that were found, where the stack goes on: the first number that can be a return address into a driver.
/// Functions and data begin at multiples of sixteen, and calls seldom end there.
fn left_on_stack(kernel: &Kernel, stack: &Stack) -> Option<Blame> {
    stack.stopped.as_ref()?;
    let from = stack.frames.last()?.stack;
    (0..WORDS)
        .map_while(|word| kernel.space().read_virt(from + word * 8).ok())
        .filter(|at| at.0 % 16 != 0)
        .filter(|at| kernel.is_behind_call(*at) != Some(false))
        .find_map(|at| {
            kernel.blamed(
                at,
                "the calls cannot be followed out of the kernel; this is the next address on the stack that can be a return address, and may be left over",
            )
        })
}

/// Nobody but the kernel: what the bug check names, or the function that found out, behind those that stop the machine.
fn own(kernel: &Kernel, clues: &[Clue], stack: &Stack) -> Option<Blame> {
    let stops = |name: &str| name.starts_with("KeBugCheck") || name.starts_with("KiBugCheck");
    let named = clues.iter().find(|clue| clue.lead == Lead::Code);
    let mut calls = stack.frames.iter().enumerate().filter(|(number, frame)| {
        let entered = *number == 0 && frame.how == Some(rkd_code::unwind::How::Entry);
        let near = kernel.nearest(frame.at);
        !entered && near.is_some_and(|near| !near.symbol.is_some_and(stops))
    });
    let at = named
        .map(|clue| clue.at)
        .or_else(|| calls.next().map(|(_, frame)| frame.at))?;
    let module = kernel.module_at(at)?;
    Some(Blame {
        at: Some(at),
        module: module.name.clone(),
        image: module.image_name.clone(),
        because: "nothing leads to another module".into(),
    })
}

impl Kernel {
    /// The driver that an address lies in, loaded or not; `None` for the kernel and those that serve all others.
    fn blamed(&self, at: Virt, because: &str) -> Option<Blame> {
        let (module, image) = match self.module_at(at) {
            Some(module) => (module.name.clone(), module.image_name.clone()),
            None => {
                let gone = self.unloaded().iter();
                let gone = gone
                    .clone()
                    .find(|gone| gone.start <= at && at < gone.end)?;
                (format!("Unloaded_{}", gone.name), gone.name.clone())
            }
        };
        let serves = SERVANTS
            .iter()
            .any(|name| module.eq_ignore_ascii_case(name));
        let in_headers = self
            .module_at(at)
            .is_some_and(|module| at - module.base < PAGE_SIZE && at != module.base);
        (!serves && !in_headers).then(|| Blame {
            at: Some(at),
            module,
            image,
            because: because.to_string(),
        })
    }

    /// The driver of that name; `None` for the kernel.
    fn blamed_name(&self, name: &str, because: &str) -> Option<Blame> {
        let file = name.rsplit(['\\', '/']).next().unwrap_or(name);
        let loaded = self
            .modules()
            .iter()
            .find(|module| module.image_name.eq_ignore_ascii_case(file));
        match loaded {
            Some(module) => self.blamed(module.base, because),
            None if file.is_empty() => None,
            None => Some(Blame {
                at: None,
                module: file.split('.').next().unwrap_or(file).to_string(),
                image: super::modules::harmless(file),
                because: because.to_string(),
            }),
        }
    }
}
