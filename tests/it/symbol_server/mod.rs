//! Symbol servers in every mood: whatever one does, the search ends, the cache holds nothing wrong, and nobody waits twice.

mod files;
mod program;
mod server;

use files::{AGE, GUID, STORE, cabinet, pdb, table};
use rkd_symbols::pe::Image;
use rkd_symbols::server::{Failure, Limits};
use rkd_symbols::{Guid, How, PdbId, Reach, Servers, SymbolPath};
use server::{Request, Server};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn id() -> PdbId {
    PdbId::new(GUID.parse::<Guid>().unwrap(), AGE, "nt.pdb")
}

/// Short enough for a test, long enough for a machine that is busy.
fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        answer: Duration::from_millis(700),
        stall: Duration::from_millis(700),
        min_bytes: 4000,
        min_bytes_window: Duration::from_millis(700),
        overall: Duration::from_secs(20),
        max_bytes: 1 << 20,
        redirects: 5,
        proxies: false,
    }
}

fn online() -> Servers {
    Servers::online(limits(), Arc::default(), None)
}

/// All files below a folder, temporary ones too.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => found.extend(files_in(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

/// Fetches from a server in this mood, and again. Returns the first answer, and how often the server was asked in all and by
/// the first.
fn fetch_twice(
    mood: impl Fn(&mut Request) + Send + Sync + 'static,
) -> (Result<PathBuf, Failure>, Vec<String>) {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(mood);
    let servers = online();
    let first = servers.fetch(&server.url(), &id(), cache.path());
    let asked = server.asked();
    if first.is_err() {
        assert_eq!(
            files_in(cache.path()),
            Vec::<PathBuf>::new(),
            "the cache is poisoned"
        );
        let second = servers.fetch(&server.url(), &id(), cache.path());
        assert!(second.is_err());
        assert_eq!(server.asked(), asked, "asked again in spite of {first:?}");
    }
    (first, asked)
}

#[test]
fn a_good_server() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|request| request.answer("200 OK", &[], &pdb(GUID, AGE)));
    let servers = online();
    let path = servers.fetch(&server.url(), &id(), cache.path()).unwrap();
    assert_eq!(path, cache.path().join("nt.pdb").join(STORE).join("nt.pdb"));
    assert_eq!(fs::read(&path).unwrap(), pdb(GUID, AGE));
    assert_eq!(server.asked(), [format!("/nt.pdb/{STORE}/nt.pdb")]);
    assert_eq!(files_in(cache.path()), [path]);
}

#[test]
fn a_server_without_the_file_is_asked_for_every_form_of_it_once() {
    for status in ["404 Not Found", "403 Forbidden", "410 Gone"] {
        let (got, asked) = fetch_twice(move |request| request.answer(status, &[], b""));
        assert_eq!(got, Err(Failure::Missing), "{status}");
        let folder = format!("/nt.pdb/{STORE}");
        assert_eq!(
            asked,
            [
                format!("{folder}/nt.pdb"),
                format!("{folder}/nt.pd_"),
                format!("{folder}/file.ptr"),
                "/index2.txt".to_string(),
            ]
        );
    }
}

/// What a server does, and what is said of it.
type Mood = (fn(&mut Request), &'static str);

#[test]
fn a_file_that_is_not_right_is_refused() {
    let moods: &[Mood] = &[
        (
            |r| r.answer("200 OK", &[], &pdb("000000000000000000000000000000AB", AGE)),
            "it is for 000000000000000000000000000000AB-1, not for 606FF669409B00F7FC8C61A9C1670129-1",
        ),
        (
            |r| r.answer("200 OK", &[], &pdb(GUID, AGE + 1)),
            "it is for 606FF669409B00F7FC8C61A9C1670129-2, not for 606FF669409B00F7FC8C61A9C1670129-1",
        ),
        (
            |r| r.answer("200 OK", &[], b"MZ\x90\0"),
            "an image, not a symbol file",
        ),
        (|r| r.answer("200 OK", &[], b""), "an empty file"),
        (
            // The length that is stated is that of the piece: only the file itself knows better.
            |r| r.answer("200 OK", &[], &pdb(GUID, AGE)[..9000]),
            "it is cut short: 9000 of 32768 bytes",
        ),
        (
            |r| {
                r.head("200 OK", &[], Some(pdb(GUID, AGE).len()));
                r.send(&pdb(GUID, AGE)[..9000]);
            },
            "the connection broke: ",
        ),
        (
            |r| {
                r.head("200 OK", &[], Some(9000));
                r.send(&pdb(GUID, AGE));
            },
            "it is cut short: 9000 of 32768 bytes",
        ),
        (
            // Without a length, and without an end.
            |r| {
                r.head("200 OK", &[], None);
                r.send(&pdb(GUID, AGE));
                r.forever(0, |r| r.send(&[0; 4096]));
            },
            "it is longer than the 32768 bytes that it says",
        ),
        (
            |r| {
                r.head("200 OK", &[], None);
                r.send(b"MSCF");
                r.forever(0, |r| r.send(&[0; 4096]));
            },
            "it is larger than 1 MiB",
        ),
        (
            |r| {
                r.head("200 OK", &[], Some(1 << 40));
                r.hang();
            },
            "it is larger than 1 MiB",
        ),
        (
            |r| r.answer("200 OK", &["Content-Encoding: br"], b"x"),
            "it was sent packed with br, which was not asked for",
        ),
        (
            |r| r.answer("200 OK", &[], &cabinet("nt.pdb", b"no symbols at all")),
            "not a symbol file",
        ),
        (
            |r| r.answer("500 Internal Server Error", &[], b"<html>sorry</html>"),
            "the server answers with status 500",
        ),
        (
            |r| match r.path.ends_with("file.ptr") {
                true => r.answer("200 OK", &[], b"PATH:\\\\inside\\share\\nt.pdb"),
                false => r.not_found(),
            },
            r"its file.ptr points to \\inside\share\nt.pdb, and a server is not followed there",
        ),
        (
            |r| match r.path.ends_with("file.ptr") {
                true => r.answer("200 OK", &[], b"MSG: gone since May"),
                false => r.not_found(),
            },
            "its file.ptr says: gone since May",
        ),
    ];
    for (mood, said) in moods {
        match fetch_twice(*mood).0 {
            Err(Failure::File(why)) if why.starts_with(said) => {}
            other => panic!("{said}: {other:?}"),
        }
    }
}

#[test]
fn a_server_that_is_no_good_is_left_alone() {
    let moods: &[Mood] = &[
        (|r| r.hang(), "no answer within 700ms"),
        (
            // A letter of the head at a time.
            |r| r.forever(100, |r| r.send(b"H")),
            "",
        ),
        (
            |r| {
                r.head("200 OK", &[], Some(pdb(GUID, AGE).len()));
                r.send(&pdb(GUID, AGE)[..9000]);
                r.hang();
            },
            "it sent nothing for 700ms",
        ),
        (
            |r| {
                r.head("200 OK", &[], Some(pdb(GUID, AGE).len()));
                r.send(&pdb(GUID, AGE)[..100]);
                r.forever(50, |r| r.send(b"\0"));
            },
            "it is too slow: ",
        ),
        (
            |r| {
                let next = format!("Location: {}x", r.path);
                r.answer("302 Found", &[&next], b"");
            },
            "it sends from one address to the next, more than 5 times",
        ),
        (
            |r| {
                r.answer(
                    "200 OK",
                    &["Content-Type: text/html; charset=utf-8"],
                    b"Sign in",
                )
            },
            "it sends a web page, not a symbol file; perhaps the network wants a login first",
        ),
        (
            |r| {
                r.answer(
                    "200 OK",
                    &[],
                    b"\r\n<!DOCTYPE html><html>Sign in to the network of this train",
                )
            },
            "it sends a web page, not a symbol file; perhaps the network wants a login first",
        ),
        (
            |r| r.answer("401 Unauthorized", &[], b""),
            "it wants a login (status 401)",
        ),
        (
            |r| r.answer("503 Service Unavailable", &[], b""),
            "it answers with status 503",
        ),
        (
            |r| {
                r.send(b"220 mail.example ESMTP\r\n");
            },
            "",
        ),
        (|_| {}, ""),
    ];
    for (mood, said) in moods {
        match fetch_twice(*mood).0 {
            Err(Failure::Server(why)) if why.starts_with(said) && !why.is_empty() => {}
            other => panic!("{said}: {other:?}"),
        }
    }
}

#[test]
fn nobody_is_there() {
    let gone = Server::start(|_| {}).url();
    let cache = tempfile::tempdir().unwrap();
    let servers = online();
    let first = servers.fetch(&gone, &id(), cache.path());
    assert!(matches!(first, Err(Failure::Server(_))), "{first:?}");
    let second = servers.fetch(&gone, &id(), cache.path());
    let Err(Failure::Server(why)) = second else {
        panic!("{second:?}")
    };
    assert!(why.starts_with("left alone: "), "{why}");
    servers.forgive();
    assert_eq!(servers.trouble(&gone), None);
    let name = servers.fetch("http://nonesuch.invalid", &id(), cache.path());
    assert!(matches!(name, Err(Failure::Server(_))), "{name:?}");
}

#[test]
fn other_forms_of_the_file() {
    let whole = || pdb(GUID, AGE);
    let place = format!("nt.pdb/{STORE}/nt.pdb");
    let kept = |mood: fn(&mut Request)| {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::start(mood);
        let path = online().fetch(&server.url(), &id(), cache.path()).unwrap();
        assert_eq!(path, cache.path().join(&place));
        assert_eq!(fs::read(path).unwrap(), whole());
        server.asked()
    };
    kept(|r| match r.path.ends_with(".pd_") {
        true => r.answer("200 OK", &[], &cabinet("nt.pdb", &pdb(GUID, AGE))),
        false => r.not_found(),
    });
    let asked = kept(|r| match r.path.as_str() {
        "/index2.txt" => r.answer("200 OK", &[], b"."),
        path if path.starts_with("/nt/nt.pdb/") => r.answer("200 OK", &[], &pdb(GUID, AGE)),
        _ => r.not_found(),
    });
    assert_eq!(asked.last().unwrap(), &format!("/nt/nt.pdb/{STORE}/nt.pdb"));
    kept(|r| match r.path.as_str() {
        "/moved" => r.answer("200 OK", &[], &pdb(GUID, AGE)),
        _ => r.answer("302 Found", &["Location: /moved"], b""),
    });
    // In pieces of no stated length.
    kept(|r| {
        r.head("200 OK", &["Transfer-Encoding: chunked"], None);
        for piece in pdb(GUID, AGE).chunks(1000) {
            r.send(format!("{:x}\r\n", piece.len()).as_bytes());
            r.send(piece);
            r.send(b"\r\n");
        }
        r.send(b"0\r\n\r\n");
    });
}

#[test]
fn a_pointer_to_another_server_is_followed() {
    let other = Server::start(|r| r.answer("200 OK", &[], &pdb(GUID, AGE)));
    let url = format!("{}/elsewhere", other.url());
    let server = Server::start(move |r| match r.path.ends_with("file.ptr") {
        true => r.answer("200 OK", &[], format!("PATH:{url}").as_bytes()),
        false => r.not_found(),
    });
    let cache = tempfile::tempdir().unwrap();
    online().fetch(&server.url(), &id(), cache.path()).unwrap();
    assert_eq!(other.asked(), ["/elsewhere"]);
}

#[test]
fn ctrl_c_ends_a_download_and_is_not_held_against_the_server() {
    let stop = Arc::new(AtomicBool::new(false));
    let pressed = stop.clone();
    let server = Server::start(move |r| match r.path.as_str() {
        _ if pressed.load(Ordering::Relaxed) => r.answer("200 OK", &[], &pdb(GUID, AGE)),
        _ => {
            r.head("200 OK", &[], Some(pdb(GUID, AGE).len()));
            r.send(&pdb(GUID, AGE)[..9000]);
            pressed.store(true, Ordering::Relaxed);
            r.hang();
        }
    });
    let patient = Limits {
        answer: Duration::from_secs(600),
        stall: Duration::from_secs(600),
        min_bytes_window: Duration::from_secs(600),
        overall: Duration::from_secs(600),
        ..limits()
    };
    let cache = tempfile::tempdir().unwrap();
    let servers = Servers::online(patient, stop.clone(), None);
    let how = How {
        reach: Reach::Servers,
        servers,
        ..How::default()
    };
    let path = SymbolPath::parse(&format!("srv*{}*{}", cache.path().display(), server.url()));
    let lookup = path.search(&id(), &how);
    assert!(lookup.is_stopped && lookup.table.is_none());
    assert!(files_in(cache.path()).is_empty());
    // The server goes on as before; the flag is cleared when the next command begins.
    let fetched = {
        let again = server.url();
        std::thread::scope(|scope| {
            scope
                .spawn(|| stop.store(false, Ordering::Relaxed))
                .join()
                .unwrap();
            how.servers.trouble(&again)
        })
    };
    assert_eq!(fetched, None);
}

/// Searches a path with three caches; each of them must have the file then, and the server must not be asked again.
fn goes_through_every_cache(body: Vec<u8>, id: &PdbId, place: &str) {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(move |r| r.answer("200 OK", &[], &body));
    let folder = |name: &str| root.path().join(name).display().to_string();
    let path = format!(
        "cache*{};srv*{}*{}*{}",
        folder("all"),
        folder("near"),
        folder("far"),
        server.url()
    );
    let how = How {
        reach: Reach::Servers,
        servers: online(),
        ..How::default()
    };
    let lookup = SymbolPath::parse(&path).search(id, &how);
    assert!(lookup.table.is_some(), "{:?}", lookup.tried);
    for cache in ["all", "near", "far"] {
        assert!(root.path().join(cache).join(place).is_file(), "{cache}");
    }
    SymbolPath::parse(&path).search(id, &how);
    assert_eq!(server.asked().len(), 1, "the caches have it now");
}

#[test]
fn what_a_server_gives_goes_through_every_cache() {
    // A server of our own may have symbol tables instead of PDBs.
    let place = format!("nt.pdb/{GUID}-{AGE}.json");
    goes_through_every_cache(table(GUID, AGE).into_bytes(), &id(), &place);
    // A PDB as the linker made it, and the image that names it.
    let image = Image::parse_file(include_bytes!("../../fixtures/driver/driver.sys")).unwrap();
    let id = image.codeview().unwrap();
    let real = include_bytes!("../../fixtures/driver/driver.pdb").to_vec();
    let place = format!("driver.pdb/{}/driver.pdb", id.store_name());
    goes_through_every_cache(real, &id, &place);
}

#[test]
fn without_leave_nobody_is_asked() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|r| r.answer("200 OK", &[], table(GUID, AGE).as_bytes()));
    let path = SymbolPath::parse(&format!("srv*{}*{}", cache.path().display(), server.url()));
    // By default the library is offline; and who looks only here does not ask even when he may.
    let offline = How {
        reach: Reach::Servers,
        ..How::default()
    };
    let here = How {
        servers: online(),
        ..How::default()
    };
    for how in [offline, here] {
        assert!(path.search(&id(), &how).table.is_none());
    }
    // While they are held back, what they would say stays open.
    let held = How {
        reach: Reach::Servers,
        servers: online(),
        ..How::default()
    };
    held.servers.hold(true);
    assert!(path.search(&id(), &held).is_stopped);
    assert!(server.asked().is_empty());
    held.servers.hold(false);
    assert!(path.search(&id(), &held).table.is_some());
}
