//! The state of kd's expressions: the radix, aliases, and the registers that belong to nobody's processor.

use std::collections::BTreeMap;

/// What an expression means depends on these.
#[derive(Debug)]
pub struct Numbers {
    /// The radix of numbers without a prefix: 8, 10 or 16.
    pub radix: u32,
    /// Aliases made with `as`.
    pub aliases: BTreeMap<String, String>,
    /// The pseudo-registers `$t0` to `$t19`.
    pub pseudo: [u64; 20],
    /// The last value that `?` or `.formats` showed, for `$exp`.
    pub last_value: u64,
}

impl Default for Numbers {
    fn default() -> Numbers {
        Numbers {
            radix: 16,
            aliases: BTreeMap::new(),
            pseudo: [0; 20],
            last_value: 0,
        }
    }
}
