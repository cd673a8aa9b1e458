//! Every engine against a loop that compares every pattern at every place.

use super::*;
use proptest::prelude::*;

/// The truth, slowly.
fn naive(patterns: &[(Vec<u8>, Vec<u8>, u64)], hay: &[u8], base: u64) -> Vec<(u64, u32)> {
    let mut found = Vec::new();
    for at in 0..hay.len() {
        for (number, (bytes, mask, align)) in patterns.iter().enumerate() {
            let here = &hay[at..];
            if here.len() >= bytes.len()
                && (base + at as u64).is_multiple_of(*align)
                && (0..bytes.len()).all(|i| (here[i] ^ bytes[i]) & mask[i] == 0)
            {
                found.push((base + at as u64, number as u32));
            }
        }
    }
    found
}

fn set(patterns: &[(Vec<u8>, Vec<u8>, u64)], simd: Option<simd::Simd>) -> Patterns {
    let patterns = patterns
        .iter()
        .map(|(b, m, a)| Pattern::masked(b, m).unwrap().aligned(*a))
        .collect();
    Patterns::with_simd(patterns, simd).unwrap()
}

fn pairs(found: &[Found]) -> Vec<(u64, u32)> {
    found.iter().map(|f| (f.address, f.pattern)).collect()
}

fn exact(bytes: &[u8]) -> (Vec<u8>, Vec<u8>, u64) {
    (bytes.to_vec(), vec![0xff; bytes.len()], 1)
}

/// With every SIMD that there is, without, and with a limit that cuts blocks down to single places.
fn check(patterns: &[(Vec<u8>, Vec<u8>, u64)], hay: &[u8], base: u64) {
    let expected = naive(patterns, hay, base);
    for simd in simd::Simd::all().into_iter().map(Some).chain([None]) {
        let set = set(patterns, simd);
        assert_eq!(pairs(&set.find_all(hay, base)), expected, "simd {simd:?}");
        let (mut out, mut at) = (Vec::new(), 0);
        while at < hay.len() {
            at = set.find(hay, base, at..hay.len(), 3, &mut out);
        }
        assert_eq!(pairs(&out), expected, "limit 3, simd {simd:?}");
    }
}

#[test]
fn overlapping_occurrences_are_all_found() {
    check(&[exact(b"QQQ")], b"QQQQQ", 0x1000);
    check(
        &[exact(b"QQQ"), exact(b"QQ"), exact(b"Q"), exact(b"QQQQQQ")],
        b"QQQQQ",
        0x1000,
    );
    check(
        &[
            exact(b"abcd"),
            exact(b"bcda"),
            exact(b"cd"),
            exact(b"abcdab"),
        ],
        &b"abcd".repeat(40),
        0,
    );
    // The same pattern twice: both are reported.
    check(&[exact(b"Leak"), exact(b"Leak")], b"..Leak..", 7);
}

#[test]
fn the_first_and_the_last_byte_count() {
    for length in [
        1, 2, 3, 4, 5, 8, 31, 32, 33, 63, 64, 65, 66, 67, 68, 99, 127, 128, 131, 200,
    ] {
        for pattern in [&b"Z"[..], b"YZ", b"XYZ", b"WXYZ", b"VWXYZ"] {
            let mut hay = vec![b'.'; length];
            if length >= pattern.len() {
                hay[..pattern.len()].copy_from_slice(pattern);
                hay[length - pattern.len()..].copy_from_slice(pattern);
            }
            check(&[exact(pattern)], &hay, 0);
            check(&[exact(pattern), exact(b"nope"), exact(b"no")], &hay, 0);
        }
    }
}

#[test]
fn a_set_of_a_hundred_thousand_tags_finds_them_all() {
    let tag = |n: u32| {
        let digits: [u8; 4] = std::array::from_fn(|i| b' ' + (n / 95u32.pow(i as u32) % 95) as u8);
        digits.to_vec()
    };
    let patterns = (0..100_000).map(|n| Pattern::bytes(tag(n * 7))).collect();
    let set = Patterns::new(patterns).unwrap();
    let hay: Vec<u8> = (0..100_000u32)
        .step_by(101)
        .flat_map(|n| [tag(n * 7), vec![0; 5]].concat())
        .collect();
    let expected: Vec<_> = (0..100_000u32)
        .step_by(101)
        .enumerate()
        .map(|(i, n)| (i as u64 * 9, n))
        .collect();
    assert_eq!(pairs(&set.find_all(&hay, 0)), expected);
}

#[test]
fn patterns_that_share_every_window_stay_correct() {
    let nested: Vec<_> = (1..=40).map(|n| exact(&vec![0; n])).collect();
    check(&nested, &[vec![1], vec![0; 300], vec![1]].concat(), 0);
}

#[test]
fn text_in_either_case_and_in_utf16() {
    let hay = b"leak LEAK L\0e\0A\0k\0 l[ak \x4c\x45\x41\x4b";
    let set = Patterns::new(vec![
        Pattern::text("LeAk").any_case(),
        Pattern::utf16("lEaK").any_case(),
        Pattern::utf16("LeAk"),
    ]);
    assert_eq!(
        pairs(&set.unwrap().find_all(hay, 0)),
        [(0, 0), (5, 0), (10, 1), (10, 2), (24, 0)]
    );
    // A character whose high byte looks like a letter has no case.
    let set = Patterns::new(vec![Pattern::utf16("\u{4161}").any_case()]).unwrap();
    assert_eq!(
        pairs(&set.find_all(&[0x61, 0x41, 0x41, 0x41, 0x61, 0x61], 0)),
        [(0, 0)]
    );
}

#[test]
fn hexadecimal_with_holes() {
    let set = Patterns::new(vec![
        Pattern::hex("48 8b ?? 4? c3").unwrap(),
        Pattern::hex("????90").unwrap(),
    ])
    .unwrap();
    assert_eq!(
        pairs(&set.find_all(b"\x48\x8b\x01\x4f\xc3\x48\x8b\x90\x5f\xc3", 0)),
        [(0, 0), (5, 1)]
    );
    assert!(
        Pattern::hex("48 8")
            .unwrap_err()
            .to_string()
            .contains("half a byte")
    );
    assert!(
        Pattern::hex("48 8g")
            .unwrap_err()
            .to_string()
            .contains("'g'")
    );
}

#[test]
fn what_cannot_be_searched_for_is_refused_in_words() {
    let why = |patterns| Patterns::new(patterns).err().unwrap().to_string();
    assert_eq!(why(vec![]), "there is no pattern to search for");
    assert_eq!(
        why(vec![Pattern::text("a"), Pattern::text("")]),
        "an empty pattern would match everywhere: give at least one byte"
    );
    assert_eq!(
        why(vec![Pattern::hex("????").unwrap()]),
        "a pattern without one fixed bit would match everywhere"
    );
    assert_eq!(
        why(vec![Pattern::bytes(vec![1; 0x10001])]),
        "a pattern of 65537 bytes is too long: at most 65536 bytes can be searched for"
    );
}

/// Few different bytes, so that patterns occur, overlap and share windows.
fn pattern() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, u64)> {
    let byte = prop_oneof![8 => Just(0u8), 8 => b'a'..=b'c', 1 => any::<u8>()];
    let bits = prop_oneof![12 => Just(0xffu8), 1 => Just(0xdf), 1 => Just(0), 1 => any::<u8>()];
    (
        prop::collection::vec((byte, bits), 1..9),
        prop::sample::select(vec![1, 1, 1, 2, 4, 8]),
    )
        .prop_map(|(pairs, align)| {
            let (bytes, mut mask): (Vec<u8>, Vec<u8>) = pairs.into_iter().unzip();
            if mask.iter().all(|&m| m == 0) {
                mask[0] = 0xff;
            }
            (bytes, mask, align)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_engines_agree_with_the_naive_search(
        patterns in prop_oneof![prop::collection::vec(pattern(), 1..6), prop::collection::vec(pattern(), 1..200)],
        hay in prop::collection::vec(prop_oneof![Just(0u8), b'a'..=b'c', b'A'..=b'C', any::<u8>()], 0..400),
        base in prop_oneof![Just(0u64), 0u64..64, Just(0xffff_f807_47f5_0000)],
    ) {
        check(&patterns, &hay, base);
    }

    #[test]
    fn exact_sets_agree_with_the_naive_search(
        patterns in prop::collection::vec(prop::collection::vec(b'a'..=b'd', 1..7), 1..70),
        hay in prop::collection::vec(b'a'..=b'e', 0..400),
    ) {
        check(&patterns.iter().map(|p| exact(p)).collect::<Vec<_>>(), &hay, 0x1000);
    }
}
