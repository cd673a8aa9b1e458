use super::*;

const LEAK: (u64, u64) = (119, 4_991_221_760);

/// What is said of a tag: outstanding allocations and bytes of nonpaged pool, then of paged.
fn held(list: &List, tag: &[u8; 4]) -> Option<[Option<(u64, u64)>; 2]> {
    let held = list.look.tags.iter().find(|held| held.tag == Tag(*tag))?;
    Some([held.nonpaged, held.paged].map(|held| Some((held.allocs?, held.bytes?))))
}

fn of(text: &str) -> Result<List, Unreadable> {
    read(text.as_bytes(), &Look::default(), None)
}

fn near(tag: &[u8; 4], nonpaged: u64, paged: u64) -> Look {
    let held = |bytes| Held {
        bytes: Some(bytes),
        allocs: None,
    };
    let tag = TagHeld {
        tag: Tag(*tag),
        nonpaged: held(nonpaged),
        paged: held(paged),
    };
    Look {
        tags: vec![tag],
        ..Look::default()
    }
}

#[test]
fn poolmon_logs_are_read() {
    let log = " Memory: 8277684K Avail: 1780060K\n Tag  Type     Allocs            Frees            Diff   Bytes      Per Alloc\n\n \
               Leak Nonp        119 (   3)         0 (   0)      119 4991221760 ( 125829120)  41943040\n \
               Io   Paged        20 (   0)        12 (   0)        8       4096 (         0)       512 [1394.sys - x]\n \
               Wide Nonp   30000000 (   0)  19900000 (   0) 101000001010000000 (         0)       100\n \
               Odd  Nonp         20 (   0)        12 (   0)    87777 (         0)       100\n";
    let list = of(log).unwrap();
    assert_eq!(held(&list, b"Leak"), Some([Some(LEAK), None]));
    assert_eq!(held(&list, b"Io  "), Some([None, Some((8, 4096))]));
    assert_eq!(
        held(&list, b"Wide"),
        Some([Some((10_100_000, 1_010_000_000)), None])
    );
    assert_eq!(held(&list, b"Odd "), None);
    assert_eq!(list.remarks, [Remark::Unread(1)]);
}

#[test]
fn kd_prints_in_many_ways() {
    let short = "x\n0: kd> !poolused 2\n   Sorting by  NonPaged Pool Consumed\n\n  Pool Used:\n            NonPaged            Paged\n \
                 Tag    Allocs     Used    Allocs     Used\n \
                 Leak      119 4991221760        0        0UNKNOWN pooltag 'Leak', please update pooltag.txt\n \
                 1394        1      520        0        0\tx\n Io          2       64        3       96 general\n \
                 TOTAL     1 2 3 4\n Leak 1 2 3 4 prose\n";
    let list = of(short).unwrap();
    let leak = Some([Some(LEAK), Some((0, 0))]);
    assert_eq!(held(&list, b"Leak"), leak);
    assert_eq!(held(&list, b"1394"), Some([Some((1, 520)), Some((0, 0))]));
    assert_eq!(held(&list, b"Io  "), Some([Some((2, 64)), Some((3, 96))]));
    let quoted = short.lines().fold(String::new(), |text, line| {
        text + "> " + line.trim() + "\r\n"
    });
    assert_eq!(held(&of(&quoted).unwrap(), b"Leak"), leak);
    let verbose = " Tag  Allocs  Frees  Diff  Used  Allocs  Frees  Diff  Used\n Leak 130 11 119 4991221760 0 0 0 0 x\n";
    assert_eq!(held(&of(verbose).unwrap(), b"Leak"), leak);
    // session pool is not what the trackers of the machine count
    let session = short.replace("NonPaged Pool Consumed", "Session Tag");
    assert_eq!(of(&session).unwrap_err(), Unreadable::NoList);
}

#[test]
fn tables_are_read_by_their_headings() {
    for (table, paged) in [
        (
            "Tag,Type,Allocs,Frees,Diff,Bytes,KBytes,B / Alloc,Source,Source Description,\nLeak,Non Paged,130,11,119,4991221760,4874240 KB,41943040,,,\n",
            None,
        ),
        (
            "tag,tag_bytes,nonpaged_allocs,nonpaged_frees,nonpaged_outstanding,nonpaged_bytes,paged_allocs,paged_frees,paged_outstanding,paged_bytes\nL.ak,4c65616b,130,11,119,4991221760,0,0,0,0\n",
            Some((0, 0)),
        ),
        (
            "Tag;Non-paged allocations;Non-paged frees;Non-paged bytes;Paged bytes\n\"Leak\";\"130\";\"11\";\"4.991.221.760\";0\n",
            None,
        ),
        (
            "Pool Tag\tType\tDiff\tFrees\tBytes\nLeak\tNonp\t119\t11\t4,991,221,760\n",
            None,
        ),
        (
            "{\"rows\":[{\"tag\":\"L.ak\",\"tag_bytes\":\"4c65616b\",\"nonpaged_outstanding\":119,\"nonpaged_bytes\":4991221760}]}",
            None,
        ),
        (
            "{\"Tag\":\"Leak\",\"NPUsedMB\":4760.0,\"NPDiff\":119}\n{\"Tag\":\"File\",\"NPUsedMB\":1.5}\n",
            None,
        ),
        (
            "Kennung,Art,Belegungen,Freigaben,Unterschied,KB\nLeak,Nicht ausgelagert,130,11,119,4874240\n",
            None,
        ),
    ] {
        let list = of(table).unwrap();
        let (allocs, bytes) = held(&list, b"Leak").unwrap()[0].unwrap();
        assert_eq!((allocs, bytes), LEAK, "{table}");
        assert_eq!(held(&list, b"Leak").unwrap()[1], paged, "{table}");
    }
}

#[test]
fn what_is_not_in_bytes_is_scaled_or_refused_by_its_heading() {
    let refused = |table: &str| of(table).unwrap_err();
    let heading = "NP_XB".to_owned();
    assert_eq!(
        refused("Tag NP_XB\nLeak 760.0\n"),
        Unreadable::Unit(heading)
    );
    assert_eq!(
        refused("Tag,NP pages\nLeak,760\n"),
        Unreadable::Unit("NP pages".into())
    );
    let (heading, figure) = ("NPUsed".to_owned(), "760.0".to_owned());
    assert_eq!(
        refused("Tag,NPUsed\nLeak,760.0\n"),
        Unreadable::Fraction { heading, figure }
    );
    let (heading, figure) = ("NPUsedMB".to_owned(), "1.250".to_owned());
    assert_eq!(
        refused("Tag;NPUsedMB\nLeak;1.250\n"),
        Unreadable::Ambiguous { heading, figure }
    );
    let list = of("Tag;NPUsedMB\nLeak;1.250\nFile;0,5\n").unwrap();
    assert_eq!(list.look.tags[1].nonpaged.bytes, Some(1250 << 20));
}

#[test]
fn of_several_lists_the_last_is_taken_or_the_one_that_is_named() {
    let log = |allocs: u64| {
        format!(
            " Tag  Type Allocs Frees Diff Bytes Per\n Leak Nonp {allocs} 0 {allocs} {allocs}00 100\n"
        )
    };
    let bare = |allocs: u64| format!("Leak,Nonp,{allocs},0,{allocs},{allocs}00,100\n");
    for text in [log(1) + &log(2) + &log(3), bare(1) + &bare(2) + &bare(3)] {
        let of = |which| read(text.as_bytes(), &Look::default(), which);
        for (which, taken) in [(None, 3), (Some(1), 1), (Some(3), 3)] {
            let list = of(which).unwrap();
            let count = u64::try_from(taken).unwrap();
            assert_eq!(
                held(&list, b"Leak"),
                Some([Some((count, 100 * count)), None])
            );
            assert_eq!(list.remarks, [Remark::Snapshot { taken, of: 3 }]);
        }
        for asked in [0, 4] {
            let no = Unreadable::NoSnapshot { asked, there: 3 };
            assert_eq!(of(Some(asked)).unwrap_err(), no);
        }
    }
}

#[test]
fn what_a_program_left_out_is_told_by_the_machine_beside_it() {
    let table = "Leak,0,0,0,0,130,11,119,4991221760,,\nFile,5,2,3,300,0,0,0,0,nt!io,File objects\n";
    let leak = |near: Look| held(&read(table.as_bytes(), &near, None).unwrap(), b"Leak");
    let (full, none) = (Some(LEAK), Some((0, 0)));
    assert_eq!(leak(near(b"Leak", LEAK.1, 0)), Some([full, none]));
    assert_eq!(leak(near(b"Leak", 0, LEAK.1)), Some([none, full]));
    let dots = " Tag Allocs Used Allocs Used\n Pro. 1 2 3 4\n";
    let list = read(dots.as_bytes(), &near(b"Pro\xe3", 0, 0), None).unwrap();
    assert_eq!(held(&list, b"Pro\xe3"), Some([Some((1, 2)), Some((3, 4))]));
}

#[test]
fn what_is_no_table_of_tags_is_refused() {
    for text in [
        "",
        "hello",
        "a,b,c\n1,2,3\n",
        "Tag,Color\nLeak,red\n",
        "Leak,x,y\n",
        "\0\0\0\0",
        ",,,,\n,,,,\n",
        "{",
        "[[[]]]",
        "(1) Nonp",
        "> > >",
        " Nonp Nonp Nonp",
        "\u{fffd} Paged 1 2 3",
    ] {
        assert!(of(text).is_err(), "{text:?}");
    }
}
