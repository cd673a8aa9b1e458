//! A symbol server in any mood: a few threads on 127.0.0.1 that answer as the test says.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// One request: its path, and where the answer goes.
pub struct Request {
    pub path: String,
    pub out: TcpStream,
    /// Set when the test is over: whoever hangs looks at it.
    over: Arc<AtomicBool>,
}

impl Request {
    /// A whole answer.
    pub fn answer(&mut self, status: &str, headers: &[&str], body: &[u8]) {
        self.head(status, headers, Some(body.len()));
        self.send(body);
    }

    /// The head of an answer.
    pub fn head(&mut self, status: &str, headers: &[&str], length: Option<usize>) {
        let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
        for header in headers {
            head += &format!("{header}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        self.send((head + "\r\n").as_bytes());
    }

    /// Bytes as they are; whether somebody took them.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.out
            .write_all(bytes)
            .and_then(|()| self.out.flush())
            .is_ok()
    }

    pub fn not_found(&mut self) {
        self.answer(
            "404 Not Found",
            &["Content-Type: text/html"],
            b"<html>no</html>",
        );
    }

    /// Says nothing until the test is over.
    pub fn hang(&self) {
        while !self.over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Does something again and again, until it fails or the test is over.
    pub fn forever(&mut self, pause: u64, mut act: impl FnMut(&mut Request) -> bool) {
        while !self.over.load(Ordering::Relaxed) && act(self) {
            thread::sleep(Duration::from_millis(pause));
        }
    }
}

/// The server. It goes with the test.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Answers every request in this way.
    pub fn start(mood: impl Fn(&mut Request) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            over: Arc::default(),
        };
        let (asked, over, mood) = (server.asked.clone(), server.over.clone(), Arc::new(mood));
        thread::spawn(move || {
            for out in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let (asked, over, mood) = (asked.clone(), over.clone(), mood.clone());
                thread::spawn(move || {
                    let Some(path) = read_request(&out) else {
                        return;
                    };
                    asked.lock().unwrap().push(path.clone());
                    mood(&mut Request { path, out, over });
                });
            }
        });
        server
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were asked for, in their order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// The path of a GET; of a proxy's CONNECT the whole first line.
fn read_request(stream: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    for line in lines {
        if line.ok()?.is_empty() {
            break;
        }
    }
    match first.strip_prefix("GET ") {
        Some(rest) => Some(rest.split(' ').next()?.to_string()),
        None => Some(first),
    }
}
