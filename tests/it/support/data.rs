//! Data that the repository does not hold. A test that needs some asks here, nowhere else, and goes without if it gets none:
//! who went without, and what for, stands at the end of the run.
//!
//! `RKD_REQUIRE_DATA=1` makes such a test fail if what it lacks is shared data; `RKD_REQUIRE_DATA=all`, whatever it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Real dumps and symbol tables: `dumps/triage_x64.dmp`. They lie beside the checkout in `../shared/data`, or where `RKD_DATA`
/// says.
#[track_caller]
pub fn data(name: &str) -> Option<PathBuf> {
    let path = folder().join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        env::var_os("RKD_REQUIRE_DATA").is_none(),
        "{} is not there, and RKD_REQUIRE_DATA is set",
        path.display()
    );
    without(path.display().to_string())
}

/// Where shared data lies, or would lie.
pub fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    env::var_os("RKD_DATA").map_or_else(beside, PathBuf::from)
}

/// Samples that a script fetches: a file in the folder that the environment variable names, or in the target folder's
/// `default`.
#[track_caller]
pub fn sample(variable: &str, default: &str, file: &str, script: &str) -> Option<PathBuf> {
    let target = || {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| manifest.join("target"), PathBuf::from)
    };
    let folder = env::var_os(variable).map_or_else(|| target().join(default), PathBuf::from);
    let path = folder.join(file);
    match path.exists() {
        true => Some(path),
        false => lacking(&format!("samples ({variable}; {script} brings them)")),
    }
}

/// What is on some machines only, by a name for people.
#[track_caller]
pub fn lacking<T>(what: &str) -> Option<T> {
    assert!(
        env::var("RKD_REQUIRE_DATA").as_deref() != Ok("all"),
        "this machine lacks {what}, and RKD_REQUIRE_DATA is `all`"
    );
    without(what.to_owned())
}

/// What is not there, and the tests that went without it.
static MISSING: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

#[track_caller]
fn without<T>(what: String) -> Option<T> {
    let thread = std::thread::current();
    // A single test is run by the main thread.
    let test = match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => Location::caller().to_string(),
    };
    let mut missing = MISSING.lock().unwrap();
    if missing.is_empty() {
        at_exit();
    }
    missing.entry(what).or_default().insert(test);
    None
}

/// The C library calls the function when the process ends: after libtest's last line, and nothing captures what it writes.
#[allow(unsafe_code)]
fn at_exit() {
    unsafe extern "C" {
        fn atexit(function: extern "C" fn()) -> i32;
    }
    // SAFETY: the function is there as long as the process is, and does not unwind.
    unsafe { atexit(report) };
}

extern "C" fn report() {
    let Ok(missing) = MISSING.lock() else { return };
    let tests: BTreeSet<_> = missing.values().flatten().collect();
    let mut text = format!(
        "{} tests went without data that is not there:\n",
        tests.len()
    );
    for (what, tests) in missing.iter() {
        let _ = writeln!(text, "  {what}");
        for test in tests {
            let _ = writeln!(text, "    {test}");
        }
    }
    let _ = std::io::stderr().write_all((text + "\n").as_bytes());
}
