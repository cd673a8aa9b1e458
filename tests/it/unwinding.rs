//! Unwinding, held to what functions really do: each function of `fixtures/unwind/frames.dll` (written in assembler, with unwind
//! data by LLVM) is run instruction by instruction, and from every place in it the unwinder must find the caller with all the
//! registers that it had. And unwind data that lies, which must end in an error.

use crate::support::image::mapped;
use iced_x86::{Code, Decoder, DecoderOptions, Mnemonic, OpKind, Register};
use rkd_code::unwind::{How, Registers, RuntimeFunction, UnwindInfo, by_code, step};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::Error;
use rkd_dump::memory::AddressSpace;
use rkd_symbols::pe::{Image, Target};
use std::collections::BTreeMap;

const DLL: &[u8] = include_bytes!("../fixtures/unwind/frames.dll");
const BASE: Virt = Virt(0xffff_f800_1000_0000);
/// The stack: its lower end, and where rsp stands when a function is called.
const STACK: Virt = Virt(0xffff_9000_0000_0000);
const SIZE: usize = 0x12_0000;
const ENTRY: Virt = Virt(0xffff_9000_0010_0000);
const RETURN: u64 = 0xffff_f800_1234_5678;

fn exports() -> BTreeMap<String, Rva> {
    let image = Image::parse_file(DLL).unwrap();
    let list = image.exports().value.list.into_iter();
    list.filter_map(|export| match export.target {
        Target::Rva(rva) => Some((export.name?, rva)),
        Target::Forwarder(_) => None,
    })
    .collect()
}

fn functions(image: &[u8]) -> Vec<RuntimeFunction> {
    let (table, size) = Image::parse_file(DLL)
        .unwrap()
        .headers()
        .directory(3)
        .unwrap();
    image[table as usize..(table + size) as usize]
        .as_chunks::<12>()
        .0
        .iter()
        .map(RuntimeFunction::parse)
        .collect()
}

/// A processor that knows the few instructions of the fixture.
struct Machine {
    registers: Registers,
    stack: Vec<u8>,
}

impl Machine {
    fn new(at: Virt) -> Machine {
        let mut general = [0; 16];
        for (number, value) in general.iter_mut().enumerate() {
            *value = 0x1111_0000_0000_0000 + number as u64;
        }
        general[4] = ENTRY.0;
        let mut machine = Machine {
            registers: Registers { rip: at, general },
            stack: vec![0; SIZE],
        };
        machine.write(ENTRY, RETURN);
        machine
    }

    fn write(&mut self, at: Virt, value: u64) {
        let at = (at - STACK) as usize;
        self.stack[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn read(&self, at: Virt) -> u64 {
        let at = (at - STACK) as usize;
        u64::from_le_bytes(self.stack[at..at + 8].try_into().unwrap())
    }

    fn get(&self, register: Register) -> u64 {
        self.registers.general[register.full_register().number()]
    }

    fn set(&mut self, register: Register, value: u64) {
        self.registers.general[register.full_register().number()] = value;
    }

    /// Runs one instruction; false behind the function's end.
    fn run(&mut self, image: &[u8]) -> bool {
        let at = (self.registers.rip - BASE) as usize;
        let mut decoder =
            Decoder::with_ip(64, &image[at..], self.registers.rip.0, DecoderOptions::NONE);
        let i = decoder.decode();
        self.registers.rip = Virt(i.next_ip());
        let rsp = Virt(self.get(Register::RSP));
        let memory = |machine: &Machine| {
            Virt(
                machine
                    .get(i.memory_base())
                    .wrapping_add(i.memory_displacement64()),
            )
        };
        match i.mnemonic() {
            Mnemonic::Push => {
                self.write(rsp - 8, self.get(i.op0_register()));
                self.set(Register::RSP, (rsp - 8).0);
            }
            Mnemonic::Pop => {
                self.set(i.op0_register(), self.read(rsp));
                self.set(Register::RSP, (rsp + 8).0);
            }
            Mnemonic::Sub => self.set(
                i.op0_register(),
                self.get(i.op0_register()) - i.immediate(1),
            ),
            Mnemonic::Add => self.set(
                i.op0_register(),
                self.get(i.op0_register()) + i.immediate(1),
            ),
            Mnemonic::Lea => self.set(i.op0_register(), memory(self).0),
            Mnemonic::Xor => self.set(i.op0_register(), 0),
            Mnemonic::Mov if i.op0_kind() == OpKind::Memory => {
                self.write(memory(self), self.get(i.op1_register()));
            }
            Mnemonic::Mov if i.op1_kind() == OpKind::Memory => {
                self.set(i.op0_register(), self.read(memory(self)));
            }
            Mnemonic::Mov => self.set(i.op0_register(), self.get(i.op1_register())),
            Mnemonic::Jmp => self.registers.rip = Virt(i.near_branch_target()),
            Mnemonic::Movaps | Mnemonic::Nop => {}
            _ if i.code() == Code::Retnq => return false,
            other => panic!("the fixture has no {other:?}"),
        }
        true
    }
}

/// Registers that a function must leave as they were: rbx, rsp, rbp, rsi, rdi, r12 to r15.
const KEPT: [usize; 9] = [3, 4, 5, 6, 7, 12, 13, 14, 15];

fn kept(registers: &Registers) -> Vec<u64> {
    KEPT.iter()
        .map(|number| registers.general[*number])
        .collect()
}

fn entry(table: &[RuntimeFunction], at: Virt) -> RuntimeFunction {
    let rva = Rva(u32::try_from(at - BASE).unwrap());
    *table
        .iter()
        .find(|function| function.contains(rva))
        .unwrap()
}

/// The fixture's one function of two pieces lies last.
fn whole(table: &[RuntimeFunction], at: Virt) -> Rva {
    let (first, second) = (table[table.len() - 2], table[table.len() - 1]);
    match entry(table, at) {
        piece if piece == second => first.begin,
        piece => piece.begin,
    }
}

#[test]
fn callers_are_found_from_every_instruction() {
    let image = mapped(DLL);
    let table = functions(&image);
    let mut places = 0;
    for (name, rva) in exports().into_iter().filter(|(name, _)| name != "trap") {
        let mut machine = Machine::new(BASE + rva);
        let mut caller = machine.registers.clone();
        caller.general[4] += 8;
        loop {
            let at = machine.registers.rip;
            let space = AddressSpace::of_blocks(vec![
                (BASE, image.clone()),
                (STACK, machine.stack.clone()),
            ]);
            let mut found = machine.registers.clone();
            let belongs = |to: Virt| whole(&table, to) == whole(&table, at);
            step(&space, BASE, entry(&table, at), &belongs, &mut found).unwrap();
            let place = format!("{name} at {:#x}", at - BASE);
            assert_eq!(found.rip, Virt(RETURN), "{place}");
            assert_eq!(kept(&found), kept(&caller), "{place}");
            // And without unwind data, by following the code.
            let mut found = machine.registers.clone();
            let how = by_code(&space, true, &|to| to == Virt(RETURN), &mut found);
            assert_eq!(how, Some(How::Code), "{place}");
            assert_eq!(found.rip, Virt(RETURN), "{place}");
            assert_eq!(kept(&found), kept(&caller), "{place}");
            places += 1;
            if !machine.run(&image) {
                break;
            }
        }
    }
    assert!(places > 70, "{places}");
}

#[test]
fn interrupts_lead_back_to_what_they_interrupted() {
    let image = mapped(DLL);
    let table = functions(&image);
    let at = BASE + exports()["trap"];
    let mut machine = Machine::new(at);
    // error code, rip, cs, flags, rsp, ss
    for (slot, value) in [0x14, RETURN, 0x10, 0x202, (ENTRY + 0x800).0, 0x18]
        .into_iter()
        .enumerate()
    {
        machine.write(ENTRY + slot as u64 * 8, value);
    }
    for _ in 0..4 {
        let space =
            AddressSpace::of_blocks(vec![(BASE, image.clone()), (STACK, machine.stack.clone())]);
        let mut found = machine.registers.clone();
        let how = step(
            &space,
            BASE,
            entry(&table, machine.registers.rip),
            &|_| false,
            &mut found,
        )
        .unwrap();
        assert_eq!(how, How::Interrupt(ENTRY + 8));
        assert_eq!((found.rip, found.rsp()), (Virt(RETURN), ENTRY + 0x800));
        assert_eq!(found.general[5], 0x1111_0000_0000_0005);
        machine.run(&image);
    }
}

/// Unwind data that somebody wrote: one function at 0x1000, its data at 0x2000.
fn lying(data: &[u8]) -> (AddressSpace, RuntimeFunction) {
    let mut image = vec![0x90; 0x3000];
    image[0x2000..0x2000 + data.len()].copy_from_slice(data);
    let space = AddressSpace::of_blocks(vec![(BASE, image), (STACK, vec![0; 0x1000])]);
    let function = RuntimeFunction {
        begin: Rva(0x1000),
        end: Rva(0x1100),
        unwind: Rva(0x2000),
    };
    (space, function)
}

fn unwind(data: &[u8]) -> Result<How, Error> {
    let (space, function) = lying(data);
    let mut registers = Registers {
        rip: BASE + 0x1080,
        general: [0; 16],
    };
    registers.general[4] = (STACK + 0x100).0;
    step(&space, BASE, function, &|_| false, &mut registers)
}

#[test]
fn unwind_data_that_lies_is_an_error() {
    // A chain that leads to itself.
    let own = [0x00, 0x10, 0, 0, 0x00, 0x11, 0, 0, 0x00, 0x20, 0, 0];
    let circle: Vec<u8> = [0x21, 0, 0, 0].into_iter().chain(own).collect();
    assert!(unwind(&circle).unwrap_err().to_string().contains("chained"));
    // Versions and operations that nobody knows, and one that is cut off.
    for data in [
        &[0x00, 0, 0, 0][..],
        &[0x07, 0, 0, 0],
        &[0x01, 4, 1, 0, 4, 0x0f],
        &[0x01, 4, 1, 0, 4, 0x01],
        &[0x01, 4, 1, 0, 4, 0x03],
    ] {
        assert!(
            matches!(unwind(data), Err(Error::Corrupt { .. })),
            "{data:x?}"
        );
    }
    // A frame outside of the stack: 512 KiB are taken that were never there.
    let far = unwind(&[0x01, 4, 2, 0, 4, 0x01, 0xff, 0xff]);
    assert!(matches!(far, Err(Error::Fault(_))), "{far:?}");
    // Data that is not there.
    let (space, _) = lying(&[]);
    assert!(matches!(
        UnwindInfo::read(&space, BASE, Rva(0x8000)),
        Err(Error::Fault(_))
    ));
}

#[test]
fn any_bytes_are_unwind_data_or_an_error() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20_000 {
        let mut data = [0; 48];
        for byte in &mut data {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            *byte = seed as u8;
        }
        data[0] = data[0] & 0xf8 | (1 + (data[1] & 1));
        let _ = unwind(&data);
    }
}

#[test]
fn code_that_goes_in_circles_ends() {
    // jmp to itself; a branch back and forth; code that runs into nothing.
    for code in [
        &[0xeb, 0xfe][..],
        &[0x75, 0x02, 0xeb, 0xfc, 0xeb, 0xfa],
        &[0x90],
        &[0xff, 0xe0],
        &[0xcc],
    ] {
        let mut block = code.to_vec();
        block.resize(16, 0x90);
        let space = AddressSpace::of_blocks(vec![(BASE, block), (STACK, vec![0; 0x100])]);
        let mut registers = Registers {
            rip: BASE,
            general: [STACK.0; 16],
        };
        assert_eq!(
            by_code(&space, true, &|_| true, &mut registers),
            None,
            "{code:x?}"
        );
    }
}
