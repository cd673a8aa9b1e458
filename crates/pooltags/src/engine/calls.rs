//! A call that reaches an interface, and the values that it passes.

use super::{Draft, Engine, Source, Target};
use crate::api::{self, Arg, Interface, Kind};
use crate::callee::Callee;
use crate::flow::Call;
use crate::image::{Arch, TagImage};
use crate::machine::Machine;
use crate::memory::Address;
use crate::value::{Cause, Place, Value};

impl<M: Machine> Engine<'_, M> {
    /// One call: a draft for each interface that it may reach.
    pub(super) fn at_call(&self, call: &Call<'_>, function: u32, drafts: &mut Vec<Draft>) {
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
    pub(super) fn service(
        &self,
        interface: &Interface,
        call: &Call<'_>,
        wrapped: bool,
    ) -> Option<bool> {
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

    pub(super) fn value_of(&self, source: &Source, call: &Call<'_>, width: u32) -> Value {
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
