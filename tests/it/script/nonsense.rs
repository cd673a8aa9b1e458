//! Nonsense at every function: an answer or an error, never the end of the engine.

use super::support::practice;
use rkd::command::Collect;
use rkd::script::{Failure, Group, Script};
use std::collections::BTreeSet;

/// Values of every type, with the numbers at which arithmetic breaks.
const VALUES: &[&str] = &[
    "0",
    "-1",
    "0x7fffffffffffffff",
    "0x8000000000000000",
    "1.5",
    "\"\"",
    "\"Leak\"",
    "\"\\U0001f600`\"",
    "[]",
    "[1, \"a\"]",
    "#{}",
    "#{u32: -1}",
    "()",
    "true",
    "'x'",
    "addr(-1)",
    "blob()",
    "blob(3, 0x41)",
    "poolused(2)[0]",
    "module(\"myfault\")",
    "search_all(\"Leak\")",
    "|x| x",
    "0..5",
];

/// The engine lives through it.
fn survives(script: &mut Script, source: &str) -> Result<(), Failure> {
    let mut out = Collect::default();
    let outcome = script.run_line(&mut practice(), source, &mut out);
    assert!(
        !matches!(outcome, Err(Failure::Outside(_))),
        "{source}: {outcome:?}"
    );
    outcome
}

#[test]
fn every_function_takes_every_value() {
    let mut script = Script::with_modules(None);
    let waits = ["sleep", "exit", "give_up"];
    let functions: BTreeSet<String> = script
        .entries()
        .iter()
        .filter(|entry| entry.group == Group::Function && !waits.contains(&entry.name()))
        .map(|entry| entry.name().to_string())
        .collect();
    assert!(functions.len() > 30);
    for function in functions {
        // One run for each function: what is thrown is caught, and the next values are tried.
        let mut source = format!(
            "let v = [{}];\nfn attempt(f) {{ try {{ f.call(); }} catch {{}} }}\nattempt(|| {function}());\n",
            VALUES.join(", ")
        );
        for a in (0..VALUES.len()).map(|i| format!("v[{i}]")) {
            source += &format!("attempt(|| {function}({a}));\n");
            for b in ["-1", "\"x\"", "#{nosuch: 1}"] {
                source += &format!("attempt(|| {function}({a}, {b}));\n");
            }
            source += &format!("attempt(|| {function}({a}, 0x10, \"x\"));\n");
        }
        survives(&mut script, &source).unwrap();
    }
}

#[test]
fn every_method_takes_every_value() {
    let mut script = Script::with_modules(None);
    let methods: BTreeSet<String> = script
        .entries()
        .iter()
        .filter(|entry| entry.group == Group::Property)
        .map(|entry| entry.name().to_string())
        .collect();
    let owners = [
        "addr(-1)",
        "poolused(2)[0]",
        "module(\"nt\")",
        "search_all(\"Leak\")",
        "typed(\"_EPROCESS\", 0)",
        "[poolused(2)[0], 1]",
    ];
    let mut source = format!(
        "let v = [{}];\nfn attempt(f) {{ try {{ f.call(); }} catch {{}} }}\n",
        VALUES.join(", ")
    );
    for owner in owners {
        source += &format!("{{ let it = {owner};\n");
        for method in methods.iter().filter(|method| *method != "NAME") {
            source += &format!("attempt(|| it.{method}); attempt(|| it.{method}());\n");
            for value in (0..VALUES.len()).map(|i| format!("v[{i}]")) {
                source += &format!(
                    "attempt(|| it.{method}({value})); attempt(|| it.{method}({value}, -1));\n"
                );
            }
        }
        source += "}\n";
    }
    survives(&mut script, &source).unwrap();
}

/// Texts that are no programs.
#[test]
fn what_is_typed_by_accident() {
    let mut script = Script::with_modules(None);
    let deep = "(".repeat(10_000);
    let nested = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let long = format!("let x = {};", "1 + ".repeat(50_000));
    for source in [
        "\0",
        "`",
        "${",
        "}}}}",
        "@#Base",
        "fffff807`47f50000",
        "let let let",
        "import",
        "import \"\" as x",
        "fn (",
        "0x",
        "'''",
        "/*",
        "\u{feff}1",
        "\r\n\r\n",
        "let \u{1f600} = 1",
        "x.y.z",
        "1..",
        "#{",
        "print",
        "poolused 2 Leak",
        &deep,
        &nested,
        &long,
    ] {
        let _ = survives(&mut script, source);
        script.check_complete(source);
    }
}
