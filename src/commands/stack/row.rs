//! A call as a row.

use crate::command::{KdLine, Row};
use rkd_code::unwind::How;
use rkd_dump::addr::Virt;
use rkd_kernel::Kernel;
use rkd_kernel::stack::Frame;

/// What a member of the family shows of each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Stack pointer and return address.
    Plain,
    /// Return address and arguments.
    Arguments,
    /// All of them.
    Verbose,
    /// Names only.
    Names,
}

impl Columns {
    /// By the command's name.
    pub fn of(name: &str) -> Columns {
        match name.chars().nth(1) {
            Some('b') => Columns::Arguments,
            Some('v') => Columns::Verbose,
            Some('c') => Columns::Names,
            _ => Columns::Plain,
        }
    }

    /// kd's heading.
    pub fn heading(self) -> &'static str {
        match self {
            Columns::Plain => " # Child-SP          RetAddr               Call Site",
            Columns::Arguments => {
                " # RetAddr               : Args to Child                                                           : Call Site"
            }
            Columns::Verbose => {
                " # Child-SP          RetAddr               : Args to Child                                                           : Call Site"
            }
            Columns::Names => " # Call Site",
        }
    }
}

/// Where a call stands, as kd writes it: `nt!KeBugCheckEx+0x107`, and `0x00007ffe'9d524224` or `0x1` outside all modules.
pub fn site(kernel: &Kernel, at: Virt) -> String {
    match kernel.nearest(at) {
        Some(near) => near.to_string(),
        None if at.0 >> 32 == 0 => format!("{:#x}", at.0),
        None => format!("0x{at}"),
    }
}

/// What stands where a value is not in the dump.
const MISSING: &str = "????????`????????";

/// A call that has not returned.
#[derive(Row)]
#[row(kind = "frame")]
pub struct Call {
    /// From 0, the innermost one.
    number: usize,
    /// The stack pointer in it.
    stack: Virt,
    /// Where it returns to.
    #[row(absent = "the caller was not found")]
    return_address: Option<Virt>,
    /// Where it stands.
    address: Virt,
    /// What that place is called.
    site: String,
    /// The first four arguments, as far as they were put on the stack.
    arguments: [Result<Virt, &'static str>; 4],
    /// What its caller was found by.
    #[row(absent = "the caller was not found")]
    found_by: Option<&'static str>,
    /// The trap frame, if an exception or an interrupt entered it.
    #[row(absent = "no exception or interrupt entered it")]
    trap_frame: Option<Virt>,
    #[row(skip)]
    columns: Columns,
}

impl Call {
    /// The call in a frame, by its number from 0; what its place is called, and what is shown of it.
    pub fn new(number: usize, frame: &Frame, site: String, columns: Columns) -> Call {
        Call {
            number,
            stack: frame.stack,
            return_address: frame.ret,
            address: frame.at,
            site,
            arguments: frame
                .arguments
                .map(|value| value.map(Virt).ok_or("not in the dump")),
            found_by: frame.how.map(|how| match how {
                How::Leaf => "leaf function",
                How::Entry => "entry of the function",
                How::Unwound => "unwind data",
                How::Epilogue => "epilogue",
                How::Code => "code",
                How::Chain => "frame record",
                How::Interrupt(_) => "interrupt",
            }),
            trap_frame: frame.trap,
            columns,
        }
    }

    fn arguments(&self) -> String {
        let argument = |value: Result<Virt, _>| match value {
            Ok(value) => value.to_string(),
            Err(_) => MISSING.to_string(),
        };
        self.arguments.map(argument).join(" ")
    }

    /// The line without the number, as `!analyze` shows it.
    pub fn unnumbered(&self) -> String {
        let stack = self.stack;
        let ret = self
            .return_address
            .map_or(MISSING.to_string(), |at| at.to_string());
        let trap = self
            .trap_frame
            .map_or(String::new(), |at| format!(" (TrapFrame @ {at})"));
        let site = &self.site;
        match self.columns {
            Columns::Plain => format!("{stack} {ret}     {site}"),
            Columns::Arguments => format!("{ret}     : {} : {site}", self.arguments()),
            Columns::Verbose => {
                format!("{stack} {ret}     : {} : {site}{trap}", self.arguments())
            }
            Columns::Names => site.clone(),
        }
    }
}

impl KdLine for Call {
    fn line(&self) -> String {
        format!("{:02x} {}", self.number, self.unnumbered())
    }
}
