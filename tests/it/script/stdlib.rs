//! The standard library's tests, written in Rhai: `tests/stdlib/test_NAME.rhai` runs to its end and says nothing.

use super::support::{finish, practice};
use rkd::command::Collect;
use rkd::script::{Script, library};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_module_passes_its_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stdlib");
    let mut tested = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let mut out = Collect::default();
        let outcome = Script::with_modules(None).run_file(&mut practice(), &path, &[], &mut out);
        assert_eq!(finish(out, outcome), "", "{}", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        tested.insert(name.strip_prefix("test_").unwrap_or(&name).to_string());
    }
    let modules: BTreeSet<String> = library::MODULES
        .iter()
        .map(|module| module.name.to_string())
        .collect();
    assert_eq!(tested, modules, "modules with tests, and modules");
}
