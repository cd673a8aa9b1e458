//! The addresses at which a symbol server has its files.

/// The address of a build's file: `SERVER/nt.pdb/GUIDAGE/nt.pdb`; in a store of three tiers with the first two letters of the
/// name before it.
pub fn file_address(
    server: &str,
    name: &str,
    build: &str,
    file: &str,
    three_tiers: bool,
) -> String {
    let start: String = name.chars().take(2).collect();
    let parts: &[&str] = match three_tiers {
        true => &[&start, name, build, file],
        false => &[name, build, file],
    };
    join(server, parts)
}

/// The address of an image: by its time stamp and its size, as the loader's entry has them.
pub fn image_address(server: &str, image: &str, time_stamp: u32, size: u64) -> String {
    join(
        server,
        &[image, &format!("{time_stamp:08X}{size:x}"), image],
    )
}

/// The parts below an address. They come out of a dump: everything but letters, digits and four signs is written by its
/// number, so that a part is one part and cannot be a query.
pub(super) fn join(server: &str, parts: &[&str]) -> String {
    let mut url = server.trim_end_matches('/').to_string();
    for part in parts {
        url.push('/');
        for byte in part.bytes() {
            match byte {
                b'.' | b'-' | b'_' | b'~' => url.push(char::from(byte)),
                byte if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
                byte => url += &format!("%{byte:02X}"),
            }
        }
    }
    url
}

/// The server's name in an address, without a login.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    host.rsplit_once('@').map_or(host, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_symsrv_makes_them() {
        assert_eq!(
            file_address("https://s/x/", "ntkrnlmp.pdb", "AB1", "ntkrnlmp.pd_", false),
            "https://s/x/ntkrnlmp.pdb/AB1/ntkrnlmp.pd_"
        );
        assert_eq!(
            file_address("https://s", "nt.pdb", "AB1", "file.ptr", true),
            "https://s/nt/nt.pdb/AB1/file.ptr"
        );
        assert_eq!(
            image_address("https://s", "my fault.sys", 0x4A_BCDE, 0x7000),
            "https://s/my%20fault.sys/004ABCDE7000/my%20fault.sys"
        );
        assert_eq!(
            join("http://s", &["a/b?c#d%é"]),
            "http://s/a%2Fb%3Fc%23d%25%C3%A9"
        );
    }

    #[test]
    fn a_login_is_not_shown() {
        assert_eq!(host("https://me:secret@s.example:8080/x"), "s.example:8080");
        assert_eq!(host("s.example"), "s.example");
    }
}
