//! A call that reaches an interface, and the values that it passes.

use super::{Analysis, CallSite, Source, Summary};
use crate::abi::Abi;
use crate::api::{self, Arg, Interface, Kind};
use crate::callee::Callee;
use crate::fixpoint::Call;
use crate::image::TagImage;
use crate::lattice::{Cause, Location, Value};
use crate::memory::Address;
use rkd_code::Machine;

impl Analysis<'_> {
    /// One call: a call_site for each interface that it may reach.
    pub(super) fn at_call(&self, call: &Call<'_>, function: u32, call_sites: &mut Vec<CallSite>) {
        let certain = call.callees.len() == 1;
        for callee in call.callees {
            let direct;
            let summaries: &[Summary] = match callee {
                Callee::Interface(number, dynamic) => {
                    direct = interface_itself(self.image, *number, *dynamic);
                    direct.as_slice()
                }
                Callee::Function(rva) if *rva != function => {
                    self.summaries.get(rva).map_or(&[], Vec::as_slice)
                }
                _ => &[],
            };
            let wrapper = match callee {
                Callee::Function(rva) => Some(*rva),
                _ => None,
            };
            for summary in summaries {
                let Some(interface) = api::get(summary.interface) else {
                    continue;
                };
                let service = self.service(interface, call, wrapper.is_some());
                if service == Some(false) {
                    continue;
                }
                let tag = match interface.kind {
                    // what is passed is the address of a table of tags
                    Kind::Registration => {
                        self.value_of(&summary.tag, call, self.image.machine.pointer())
                    }
                    _ => self.value_of(&summary.tag, call, 4),
                };
                let tag = if service.is_none() {
                    Value::unknown(Cause::Computed, call.at)
                } else {
                    tag
                };
                let width = if interface.choice == api::Choice::Flags {
                    self.image.machine.pointer()
                } else {
                    4
                };
                let call_site = CallSite {
                    at: call.at,
                    function,
                    interface: summary.interface,
                    dynamic: summary.dynamic,
                    certain,
                    tag,
                    pool: self.value_of(&summary.pool, call, width),
                    size: match summary.size {
                        Source::Field(..) => self.value_of(&summary.size, call, 4),
                        _ => self.value_of(&summary.size, call, self.image.machine.pointer()),
                    },
                    depth: summary.depth,
                    wrapper,
                };
                call_sites.push(call_site);
            }
        }
    }

    /// Whether the call asks for the service that takes a tag; `None` if that is not known.
    pub(super) fn service(
        &self,
        interface: &Interface,
        call: &Call<'_>,
        wrapped: bool,
    ) -> Option<bool> {
        match interface.only_if {
            Some((argument, number)) if !wrapped => {
                let location = argument_location(self.image, interface, argument);
                Some(
                    self.callees
                        .at_call(call.state, location, 4, call.tail)
                        .constant()?
                        == number,
                )
            }
            _ => Some(true),
        }
    }

    pub(super) fn value_of(&self, source: &Source, call: &Call<'_>, width: u32) -> Value {
        let pointer = self.image.machine.pointer();
        let read = |location: Location, width: u32| {
            self.callees.at_call(call.state, location, width, call.tail)
        };
        match source {
            Source::None => Value::unknown(Cause::Unset, 0),
            Source::Known(value) => value.clone(),
            Source::Location(location) => {
                let value = read(*location, width);
                // a number of four bytes on the stack is written as four bytes
                if value.is_known() || width == 4 {
                    value
                } else {
                    read(*location, 4)
                }
            }
            Source::Field(location, offset) => {
                let base = read(*location, pointer);
                let address = Address::at_offset(base, i64::from(*offset));
                self.memory
                    .load(call.state, &address, width, false, call.at)
            }
        }
    }
}

fn argument_location(image: &TagImage, interface: &Interface, argument: u8) -> Location {
    match image.machine {
        Machine::X86 => Location::Stack(4 + 4 * i32::from(interface.x86_word(argument))),
        _ => Abi::of(image.machine).location(argument),
    }
}

fn interface_itself(image: &TagImage, number: u16, dynamic: bool) -> Vec<Summary> {
    let Some(interface) = api::get(number) else {
        return Vec::new();
    };
    let source = |arg: Arg| match arg {
        Arg::None => Source::None,
        Arg::At(n) => Source::Location(argument_location(image, interface, n)),
        Arg::In(n, wide, narrow) => {
            let offset = Interface::offset(image.machine, wide, narrow);
            Source::Field(argument_location(image, interface, n), offset)
        }
    };
    vec![Summary {
        interface: number,
        dynamic,
        tag: source(interface.tag),
        pool: source(interface.pool),
        size: source(interface.size),
        depth: 0,
    }]
}
