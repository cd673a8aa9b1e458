//! The program before a symbol server: a dump opens at once, whatever the server does.

use super::files::{pdb, table};
use super::server::Server;
use crate::support::practice::{self, ARTICLE};
use crate::support::program;
use std::path::Path;

/// A practice dump of a kernel that rkd knows by itself.
fn dump() -> String {
    let path = practice::folder(ARTICLE).join("leak.dmp");
    path.to_str().unwrap().to_owned()
}

/// Everything that the program says.
fn rkd(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut program = program::rkd(".".as_ref(), arguments);
    program.0.envs(environment.iter().copied());
    program.wait("").all()
}

fn path(cache: &Path, server: &str) -> String {
    format!("srv*{}*{server}", cache.display())
}

/// Which build of nt is in the dump.
const NT: &str = "606FF669409B00F7FC8C61A9C1670129";

#[test]
fn the_prompt_comes_without_the_server_and_the_answer_too() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|request| request.hang());
    let path = path(cache.path(), &server.url());
    let dump = dump();
    let dump = dump.as_str();
    let said = rkd(&[dump, "-y", &path, "-c", "!poolused 2 Leak; q"], &[]);
    assert!(said.contains(" Leak       119   4991221760"), "{said}");
    assert!(said.contains("symbols of nt: built-in facts"), "{said}");
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[test]
fn a_failing_server_is_named_once_and_the_facts_stay() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|request| request.answer("503 Service Unavailable", &[], b""));
    let path = path(cache.path(), &server.url());
    let dump = dump();
    let dump = dump.as_str();
    let said = rkd(
        &[
            dump,
            "-q",
            "-y",
            &path,
            "-c",
            ".reload /f nt; .reload /f kd*; !poolused 2 Leak; q",
        ],
        &[],
    );
    let remark = format!(
        "{}: it answers with status 503; it is left alone until the next .reload",
        server.url()
    );
    assert!(said.contains(&remark), "{said}");
    assert!(said.contains(" Leak       119   4991221760"), "{said}");
    assert!(!server.asked().is_empty());
}

#[test]
fn offline_means_offline() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|request| request.answer("200 OK", &[], &pdb(NT, 1)));
    let path = path(cache.path(), &server.url());
    let dump = dump();
    let dump = dump.as_str();
    let said = rkd(
        &[
            dump,
            "--offline",
            "-y",
            &path,
            "-c",
            ".reload /f; .sympath+ x; q",
        ],
        &[],
    );
    assert!(server.asked().is_empty(), "{said}");
    assert!(said.contains("the network is not used"), "{said}");
}

#[test]
fn the_path_comes_from_the_environment() {
    let dump = dump();
    let dump = dump.as_str();
    let environment = [
        ("_NT_SYMBOL_PATH", "/second"),
        ("_NT_ALT_SYMBOL_PATH", "/first"),
    ];
    let said = rkd(&[dump, "-c", "q"], &environment);
    assert!(
        said.contains("Symbol search path is: /first;/second\n"),
        "{said}"
    );
    let said = rkd(&[dump, "-y", "/mine", "-c", "q"], &environment);
    assert!(said.contains("Symbol search path is: /mine\n"), "{said}");
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let cache = tempfile::tempdir().unwrap();
    let proxy = Server::start(|request| {
        request.send(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    let path = path(cache.path(), "https://symbols.invalid/x");
    let dump = dump();
    let dump = dump.as_str();
    let environment = [("HTTPS_PROXY", proxy.url())];
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let said = rkd(&[dump, "-y", &path, "-c", ".reload /f nt; q"], &environment);
    let first = proxy.asked().into_iter().next().unwrap_or_default();
    assert!(
        first.starts_with("CONNECT symbols.invalid:443"),
        "{first} {said}"
    );
}

#[test]
fn a_module_is_fetched_when_it_is_needed_and_only_then() {
    const MYFAULT: &str = "0EF4116A57934BD28C215E70A33F19C8";
    let cache = tempfile::tempdir().unwrap();
    let file = table(MYFAULT, 1).replace(
        r#""metadata""#,
        r#""symbols": {"LeakIt": {"address": 5459}}, "metadata""#,
    );
    let server = Server::start(
        move |request| match request.path.contains("/myfault.pdb/") {
            true => request.answer("200 OK", &[], file.as_bytes()),
            false => request.not_found(),
        },
    );
    let path = path(cache.path(), &server.url());
    let dump = dump();
    let dump = dump.as_str();
    let said = rkd(
        &[dump, "-y", &path, "-c", "lm m my*; ? myfault!LeakIt; q"],
        &[],
    );
    assert!(said.contains("= fffff807`47f51553"), "{said}");
    let place = format!("/myfault.pdb/{MYFAULT}1/myfault.pdb");
    assert_eq!(server.asked(), std::slice::from_ref(&place));
    let fetched = format!("from {}{place}; it is kept as ", server.url());
    assert!(said.contains(&fetched), "{said}");
    // From now on it is here.
    let said = rkd(
        &[dump, "-y", &path, "--offline", "-c", "? myfault!LeakIt; q"],
        &[],
    );
    assert!(said.contains("fffff807`47f51553"), "{said}");
    let noisy = rkd(
        &[dump, "-n", "-q", "-y", &path, "-c", ".reload /f kd; q"],
        &[],
    );
    let asked = format!("SYMSRV:  HTTPGET: {}/kd.pdb/", server.url());
    assert!(noisy.contains(&asked), "{noisy}");
    assert!(noisy.contains("/file.ptr - not found"), "{noisy}");
}
