//! Where the counters live in this kernel: four structures and the old variables.

use crate::Kernel;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};

/// `MiState` is at most this much larger than its PDB type says (0x40 on every kernel seen).
const MAX_DRIFT: u64 = 0x1000;

/// A place where some kernel keeps a counter.
#[derive(Clone, Copy)]
pub(super) enum CounterSource {
    /// A field of `_MI_VISIBLE_STATE`.
    Vs(&'static str),
    /// A signed field of `_MI_VISIBLE_STATE`.
    VsSigned(&'static str),
    /// A field of `_MI_VISIBLE_PARTITION`.
    Vp(&'static str),
    /// A field of `_MI_PARTITION`.
    Partition(&'static str),
    /// A field of `_MI_SYSTEM_INFORMATION` behind the point where it outgrew its PDB type.
    State(&'static str),
    /// A 64-bit variable.
    Variable(&'static str),
    /// A 32-bit signed variable.
    Variable32(&'static str),
    /// Something that must be computed; `None` when this kernel has not what it takes.
    Computed(fn(&View) -> Option<Result<u64>>),
    /// kd prints a zero here on every kernel, because none has such a counter.
    Zero,
}

/// The addresses of the structures, found once.
pub(super) struct View<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    vs: Result<Virt>,
    drift: u64,
    partition: Result<Virt>,
    state: Result<Virt>,
    /// What was uncertain.
    pub notes: Vec<String>,
}

const STATE: &str = "_MI_SYSTEM_INFORMATION";
const VISIBLE_STATE: &str = "_MI_VISIBLE_STATE";
const PARTITION: &str = "_MI_PARTITION";

impl<'a> View<'a> {
    /// Finds the structures.
    ///
    /// On 18362 to 22000 the real `MiState` is 0x40 bytes larger than its PDB type, and `Vs` lies 0x40 further back
    /// (proved on a 19041.804 dump): so the base of `Vs` is what `nt!MiVisibleState` points at, and the PDB offset only
    /// stands in when that pointer is not in the dump.
    pub(super) fn new(kernel: &'a Kernel) -> View<'a> {
        let state = kernel.symbol("MiState");
        let partition = kernel.symbol("MiSystemPartition");
        let (mut drift, mut notes) = (0, Vec::new());
        let by_type = state
            .clone()
            .and_then(|at| kernel.field_address(at, STATE, "Vs"));
        let vs = by_type.and_then(|by_type| match kernel.global_virt("MiVisibleState") {
            Ok(pointed) if pointed - by_type < MAX_DRIFT => {
                drift = pointed - by_type;
                Ok(pointed)
            }
            Ok(pointed) => Err(Error::Corrupt { what: "nt!MiVisibleState".into(), why: format!("it points at {pointed}, which is not in nt!MiState") }),
            Err(error) => {
                drift = kernel.table().ok().and_then(|table| table.mi_state_slack()).unwrap_or(0);
                notes.push(format!("nt!MiVisibleState: {error}; the counters of MiState are read {drift:#x} bytes behind their place in the symbols"));
                Ok(by_type + drift)
            }
        });
        View {
            kernel,
            vs,
            drift,
            partition,
            state,
            notes,
        }
    }

    /// Whether this kernel's symbols know the place.
    pub(super) fn keeps(&self, place: CounterSource) -> bool {
        let symbol = |name| self.kernel.symbol(name).is_ok();
        match place {
            CounterSource::Vs(path) | CounterSource::VsSigned(path) => {
                symbol("MiState") && self.kernel.has_field(VISIBLE_STATE, path)
            }
            CounterSource::Vp(path) => {
                symbol("MiSystemPartition") && self.kernel.has_field("_MI_VISIBLE_PARTITION", path)
            }
            CounterSource::Partition(path) => {
                symbol("MiSystemPartition") && self.kernel.has_field(PARTITION, path)
            }
            CounterSource::State(path) => symbol("MiState") && self.kernel.has_field(STATE, path),
            CounterSource::Variable(name) | CounterSource::Variable32(name) => symbol(name),
            CounterSource::Computed(compute) => compute(self).is_some(),
            CounterSource::Zero => true,
        }
    }

    /// The value at the first place that this kernel keeps; `None` when it keeps none of them.
    pub(super) fn first(&self, places: &[CounterSource]) -> Option<Result<u64>> {
        let place = places.iter().copied().find(|place| self.keeps(*place))?;
        Some(self.read(place))
    }

    fn read(&self, place: CounterSource) -> Result<u64> {
        let kernel = self.kernel;
        match place {
            CounterSource::Vs(path) => kernel.field_u64(self.vs()?, VISIBLE_STATE, path),
            CounterSource::VsSigned(path) => kernel
                .field_i64(self.vs()?, VISIBLE_STATE, path)
                .map(|v| v as u64),
            CounterSource::Vp(path) => {
                kernel.field_u64(self.partition()?, PARTITION, &format!("Vp.{path}"))
            }
            CounterSource::Partition(path) => kernel.field_u64(self.partition()?, PARTITION, path),
            CounterSource::State(path) => kernel.field_u64(self.state()? + self.drift, STATE, path),
            CounterSource::Variable(name) => kernel.global_u64(name),
            CounterSource::Variable32(name) => {
                kernel.global_u32(name).map(|v| i64::from(v as i32) as u64)
            }
            CounterSource::Computed(compute) => compute(self).unwrap_or(Ok(0)),
            CounterSource::Zero => Ok(0),
        }
    }

    /// The address of `_MI_VISIBLE_STATE`.
    pub(super) fn vs(&self) -> Result<Virt> {
        self.vs.clone()
    }

    /// The address of nt!MiSystemPartition.
    pub(super) fn partition(&self) -> Result<Virt> {
        self.partition.clone()
    }

    /// The address of nt!MiState.
    pub(super) fn state(&self) -> Result<Virt> {
        self.state.clone()
    }

    /// How much further back than their PDB offset the later fields of MiState lie, in bytes.
    pub(super) fn drift(&self) -> u64 {
        self.drift
    }
}
