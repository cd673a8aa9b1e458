//! `!cpuid`: what the processors are.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_kernel::Kernel;

/// `!cpuid`: make, model and speed of the processors.
pub static COMMAND: Command = Command {
    name: "!cpuid",
    aliases: &[],
    rhai: "cpuid",
    topic: Topic::Target,
    summary: "make, model and speed of the processors",
    grammar: Grammar::of(&[Item::optional("Processor", Kind::Decimal, "a processor's decimal number")]),
    help: "\
Shows each processor, or the given one: its number, its family, model and stepping, who made it, and its speed, as Windows noted
them in its control block (nt!_KPRCB). What cannot be read is shown as ??, with the reason.
The columns are those of published sessions of kd with speeds of four digits. How kd shows a speed that it does not know, and
whether it reads Processor as decimal, as rkd does, is not proven.",
    examples: &[
        Example {
            line: "!cpuid",
            shows: "all processors of the practice dump",
            output: "\
CP  F/M/S  Manufacturer     MHz
 0  6,158,10 GenuineIntel    2904
 1  6,158,10 GenuineIntel    2904
 2  6,158,10 GenuineIntel    2904
 3  6,158,10 GenuineIntel    2904
...",
        },
        Example {
            line: "!cpuid 3",
            shows: "one of them",
            output: "CP  F/M/S  Manufacturer     MHz\n 3  6,158,10 GenuineIntel    2904",
        },
    ],
    rows: &[Cpu::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let kernel = &session.target.kernel;
    let wanted = match args.number("Processor") {
        Some(number) => {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            kernel.processor_block(number)?;
            number..=number
        }
        None => 0..=kernel.processors().saturating_sub(1),
    };
    out.table(Cpu::SCHEMA)?;
    out.text("CP  F/M/S  Manufacturer     MHz")?;
    let mut missing = None;
    for number in wanted {
        let cpu = Cpu::of(kernel, number);
        let numbers = [&cpu.family, &cpu.model, &cpu.stepping, &cpu.speed_mhz];
        let whys = numbers.into_iter().filter_map(|n| n.as_ref().err());
        missing = missing.or_else(|| whys.chain(cpu.manufacturer.as_ref().err()).next().cloned());
        out.row(&cpu)?;
    }
    missing.map_or(Ok(()), |why| out.note(&why.to_string()))
}

/// What a processor is.
#[derive(Row)]
#[row(kind = "cpu")]
struct Cpu {
    /// The processor's number, from 0.
    number: u32,
    /// Its family.
    family: Result<u64>,
    /// Its model within the family.
    model: Result<u64>,
    /// Its revision.
    stepping: Result<u64>,
    /// Who made it, in the twelve characters that it says itself: GenuineIntel, AuthenticAMD.
    manufacturer: Result<String>,
    /// How fast it is, as Windows measured when it started.
    #[row(unit = "MHz")]
    speed_mhz: Result<u64>,
}

impl Cpu {
    fn of(kernel: &Kernel, number: u32) -> Cpu {
        let block = kernel.processor_block(number);
        let field = |name| kernel.field_u64(block.clone()?, "_KPRCB", name);
        let manufacturer = || {
            let mut text = [0; 12];
            let at = kernel.field_address(block.clone()?, "_KPRCB", "VendorString")?;
            kernel.space().read(at, &mut text)?;
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
            Ok(String::from_utf8_lossy(text).into_owned())
        };
        Cpu {
            number,
            family: field("CpuType"),
            model: field("CpuModel"),
            stepping: field("CpuStepping"),
            manufacturer: manufacturer(),
            speed_mhz: field("MHz"),
        }
    }
}

impl KdLine for Cpu {
    fn line(&self) -> String {
        let number = |value: &Result<u64>| match value {
            Ok(value) => value.to_string(),
            Err(_) => "??".into(),
        };
        format!(
            "{:>2} {:>2},{},{:<2} {:<16}{:>4}",
            self.number,
            number(&self.family),
            number(&self.model),
            number(&self.stepping),
            self.manufacturer.as_deref().unwrap_or("??"),
            number(&self.speed_mhz)
        )
    }
}
