//! A call as a row.

use crate::command::{Record, Row, Value};
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

/// A call that has not returned.
pub struct Call<'a> {
    /// Its number, from 0.
    pub number: usize,
    /// The frame.
    pub frame: &'a Frame,
    /// What it is called.
    pub site: String,
    /// What is shown of it.
    pub columns: Columns,
}

impl Call<'_> {
    fn arguments(&self) -> String {
        let argument = |value: &Option<u64>| match value {
            Some(value) => Virt(*value).to_string(),
            None => "????????`????????".to_string(),
        };
        self.frame
            .arguments
            .iter()
            .map(argument)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The line without the number, as `!analyze` shows it.
    pub fn unnumbered(&self) -> String {
        let Frame {
            stack, ret, trap, ..
        } = self.frame;
        let trap = trap.map_or(String::new(), |at| format!(" (TrapFrame @ {at})"));
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

impl Row for Call<'_> {
    fn kind(&self) -> &'static str {
        "frame"
    }

    fn record(&self) -> Record {
        let arguments = self.frame.arguments.iter().map(|value| match value {
            Some(value) => Value::Addr(Virt(*value)),
            None => Value::Absent("not in the dump".into()),
        });
        vec![
            ("number", (self.number as u64).into()),
            ("stack", self.frame.stack.into()),
            ("return_address", self.frame.ret.into()),
            ("address", self.frame.at.into()),
            ("site", self.site.as_str().into()),
            ("arguments", Value::List(arguments.collect())),
            (
                "found_by",
                match self.frame.how {
                    Some(How::Leaf) => "leaf function".into(),
                    Some(How::Unwound) => "unwind data".into(),
                    Some(How::Epilogue) => "epilogue".into(),
                    Some(How::Code) => "code".into(),
                    Some(How::Interrupt(_)) => "interrupt".into(),
                    None => Value::Absent("the caller was not found".into()),
                },
            ),
            (
                "trap_frame",
                match self.frame.trap {
                    Some(at) => Value::Addr(at),
                    None => Value::Absent("no exception or interrupt entered it".into()),
                },
            ),
        ]
    }

    fn text(&self) -> String {
        format!("{:02x} {}", self.number, self.unnumbered())
    }
}
