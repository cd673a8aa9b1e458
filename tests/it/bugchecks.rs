//! The table of bug checks beside Microsoft's list of them.

use crate::support::data::data;
use rkd_kernel::bugcheck;

/// None is missing, and each has its name. Microsoft's index drops a letter of one.
#[test]
fn all_that_microsoft_documents_are_there() {
    let Some(path) = data("cases/bugcheck-names.txt") else {
        return;
    };
    let names = std::fs::read_to_string(path).unwrap();
    let known: Vec<(u32, &str)> = names
        .lines()
        .filter_map(|line| line.trim_start_matches("0x").split_once(' '))
        .map(|(code, name)| (u32::from_str_radix(code, 16).unwrap(), name))
        .collect();
    assert!(known.len() >= 378, "{} names", known.len());
    for (code, name) in known {
        let right = match code {
            0x1d0 => "ACPI_FIRMWARE_WATCHDOG_TIMEOUT",
            _ => name,
        };
        let ours = bugcheck::named(code).map(|(_, name)| name);
        assert_eq!(ours.as_deref(), Some(right), "{code:x}");
    }
}
