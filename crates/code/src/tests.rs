use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .filter_map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).ok())
        .collect()
}

fn none(_: Virt) -> Option<String> {
    None
}

/// Lines as kd prints them; what is in brackets at the end of an address is taken for a name.
fn check(machine: Machine, names: &[(u64, &str)], lines: &[&str]) {
    let name = |va: Virt| {
        names
            .iter()
            .find(|(at, _)| *at == va.0)
            .map(|(_, name)| (*name).to_string())
    };
    let mut wrong = Vec::new();
    for line in lines {
        let (address, rest) = line.split_once(' ').unwrap();
        let va = u64::from_str_radix(&address.replace('`', ""), 16).unwrap();
        let code = rest.split_whitespace().next().unwrap();
        let mut code = bytes(code);
        if machine == Machine::Arm64 {
            code.reverse();
        }
        let instruction = Instruction::decode(machine, Virt(va), &code).unwrap();
        let text = instruction.disassemble(&name).line();
        if text != *line {
            wrong.push(format!("{line}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn x64_as_kd_prints_it() {
    check(
        Machine::X64,
        &[
            (0xfffff8036666ad80, "nt!ExpInterlockedPushEntrySList"),
            (0xfffff803369f24f8, "nt!KiIrqlFlags"),
            (0xfffff803369f2346, "nt!PerfGlobalGroupMask+0x6"),
            (0xfffff80336530067, "nt!IopCompleteRequest+0x277"),
            (0xfffff803366aee46, "nt!IopCompleteRequest+0x17f056"),
            (0xfffff803369f3d80, "nt!KiProcessorBlock"),
            (0x7ffe0308, "SharedUserData+0x308"),
            (0xfffff80321f59b58, "nt!CmpShutdownRundown"),
        ],
        &[
            "fffff805`055fd5c0 48894c2408      mov     qword ptr [rsp+8],rcx",
            "fffff803`2d81c0f2 48c1e119        shl     rcx,19h",
            "fffff803`3652ffb8 498dbc24a0000000 lea     rdi,[r12+0A0h]",
            "fffff803`3652ffc5 0f847bee1700    je      nt!IopCompleteRequest+0x17f056 (fffff803`366aee46)",
            "fffff803`3652ffdb f081a6980000007fffffff lock and dword ptr [rsi+98h],0FFFFFF7Fh",
            "fffff803`3652ffeb 88442420        mov     byte ptr [rsp+20h],al",
            "fffff803`36530011 0fbae00d        bt      eax,0Dh",
            "fffff803`36530041 7824            js      nt!IopCompleteRequest+0x277 (fffff803`36530067)",
            "fffff803`3653004e 65488b042588010000 mov   rax,qword ptr gs:[188h]",
            "fffff803`3653005e 6548010c25f82e0000 add   qword ptr gs:[2EF8h],rcx",
            "fffff803`36530083 450f20c7        mov     r15,cr8",
            "fffff803`3653008b 8b0567244c00    mov     eax,dword ptr [nt!KiIrqlFlags (fffff803`369f24f8)]",
            "fffff803`36530099 f605a6224c0021  test    byte ptr [nt!PerfGlobalGroupMask+0x6 (fffff803`369f2346)],21h",
            "fffff803`365300c0 f0490fbaad4007000000 lock bts qword ptr [r13+740h],0",
            "fffff803`36530154 48836358fe      and     qword ptr [rbx+58h],0FFFFFFFFFFFFFFFEh",
            "fffff803`365301c7 0faee8          lfence",
            "fffff803`365301cc 4c8d15ad3b4c00  lea     r10,[nt!KiProcessorBlock (fffff803`369f3d80)]",
            "fffff803`365301d3 4d8b14ca        mov     r10,qword ptr [r10+rcx*8]",
            "fffff803`365302a4 4a8b3c17        mov     rdi,qword ptr [rdi+r10]",
            "fffff803`365302ee c3              ret",
            "fffff803`d9919b80 fff3            push    rbx",
            "fffff803`d9919ba6 49b9ffffffff0f000000 mov r9,0FFFFFFFFFh",
            "fffff803`d9919be8 f780fc02000000001000 test dword ptr [rax+2FCh],100000h",
            "fffff803`d9919c53 490fafcf        imul    rcx,r15",
            "fffff803`d9919cc0 48b9f8ffffff7f000000 mov rcx,7FFFFFFFF8h",
            "fffff803`d9919ced 498b5500        mov     rdx,qword ptr [r13]",
            "fffff803`d9919d09 498b1424        mov     rdx,qword ptr [r12]",
            "fffff803`d9919e37 f0490fb10a      lock cmpxchg qword ptr [r10],rcx",
            "fffff803`21cf6e13 c784249400000014000000 mov dword ptr [rsp+94h],14h",
            "fffff804`835e19a7 48c744242000000000 mov   qword ptr [rsp+20h],0",
            "fffff804`835e198f 48c784249800000008000000 mov qword ptr [rsp+98h],8",
            "00007ffc`9bb8ce68 f604250803fe7f01 test    byte ptr [SharedUserData+0x308 (00000000`7ffe0308)],1",
            "fffff80e`6c60f5c2 878308030000    xchg    eax,dword ptr [rbx+308h]",
            "fffff803`d9e0eb75 f348ab          rep stos qword ptr [rdi]",
            "fffff803`d9e0eb7d 41c74490fceefeeefe mov   dword ptr [r8+rdx*4-4],0FEEEFEEEh",
            "fffff80d`8081568e f20f11442460    movsd   mmword ptr [rsp+60h],xmm0",
            "fffff80d`80815681 0f115d90        movups  xmmword ptr [rbp-70h],xmm3",
            "fffff803`22072e9b 0f0d0db66ceeff  prefetchw [nt!CmpShutdownRundown (fffff803`21f59b58)]",
            "fffff803`334efcdb 0f0d08          prefetchw [rax]",
            "fffff803`d998749f f00fba3300      lock btr dword ptr [rbx],0",
            "fffff803`06c2f460 cc              int     3",
            "fffff803`06c2f461 0f1f440000      nop     dword ptr [rax+rax]",
        ],
    );
}

#[test]
fn x86_as_kd_prints_it() {
    check(
        Machine::X86,
        &[(0x82c6d5b6, "nt!ObReferenceObjectByHandleWithTag+0x28f")],
        &[
            "82c6d594 40              inc     eax",
            "82c6d595 f00907          lock or dword ptr [edi],eax",
            "82c6d598 8b4c2414        mov     ecx,dword ptr [esp+14h]",
            "82c6d59f 87442420        xchg    eax,dword ptr [esp+20h]",
            "82c6d5a3 833900          cmp     dword ptr [ecx],0",
            "82c6d5a6 740e            je      nt!ObReferenceObjectByHandleWithTag+0x28f (82c6d5b6)",
            "7762f29c c21400          ret     14h",
            "9aacb697 8bff            mov     edi,edi",
        ],
    );
}

#[test]
fn arm64_as_kd_prints_it() {
    check(
        Machine::Arm64,
        &[
            (0x180243a00, "kernelbase!memcpy"),
            (0x180300000, "kernelbase!_imp_x"),
        ],
        &[
            "00000001`80243810 d503237f pacibsp",
            "00000001`80243814 a9bc7bfd stp         fp,lr,[sp,#-0x40]!",
            "00000001`80243818 a90153f3 stp         x19,x20,[sp,#0x10]",
            "00000001`80243820 f9001bf9 str         x25,[sp,#0x30]",
            "00000001`80243824 910003fd mov         fp,sp",
            "00000001`80243828 f9400408 ldr         x8,[x0,#8]",
            "00000001`80243800 94000080 bl          kernelbase!memcpy (00000001`80243a00)",
            "00000001`80243804 d65f03c0 ret",
            "00000001`80243808 b00005e8 adrp        x8,kernelbase!_imp_x (00000001`80300000)",
            "00000001`8024380c 52800020 mov         w0,#1",
            "00000001`80243810 12800001 mov         w1,#-1",
            "00000001`80243814 8b284768 add         x8,x27,w8,uxtw #1",
            "00000001`80243818 eb29417f cmp         x11,w9,uxtw",
            "00000001`8024381c f86bc948 ldr         x8,[x10,w11,sxtw]",
        ],
    );
}

#[test]
fn tags_are_told() {
    let comment = |machine, hex: &str| {
        let instruction = Instruction::decode(machine, Virt(0x1000), &bytes(hex)).unwrap();
        instruction.disassemble(&none).comment
    };
    let leak = Some("'Leak'".to_string());
    assert_eq!(comment(Machine::X64, "41b84c65616b"), leak);
    assert_eq!(comment(Machine::X86, "684c65616b"), leak);
    assert_eq!(comment(Machine::X64, "90"), None);
    assert_eq!(comment(Machine::X64, "b8ff65616b"), None);
    assert_eq!(comment(Machine::X64, "b820202020"), None);
}

#[test]
fn bytes_that_are_no_instruction() {
    let decode =
        |code: &str| Instruction::decode(Machine::X64, Virt(0xfffff80722601000), &bytes(code));
    let invalid = decode("0e9090909090909090909090909090").unwrap();
    let line = invalid.disassemble(&none).line();
    assert_eq!(line, "fffff807`22601000 0e              ???");
    assert!(invalid.is_invalid());
    assert_eq!(decode("488b"), None);
    assert_eq!(decode(""), None);
    let three = Instruction::decode(Machine::Arm64, Virt(0), &[0; 3]);
    assert_eq!(three, None);
}

#[test]
fn where_instructions_lead() {
    for (hex, flow) in [
        ("c3", Flow::Return),
        ("eb0e", Flow::Jump(Virt(0x1010))),
        ("740e", Flow::Branch(Virt(0x1010))),
        ("e80b000000", Flow::Call(Virt(0x1010))),
        ("ff1500000000", Flow::CallIndirect),
        ("ffe0", Flow::JumpIndirect),
        ("cc", Flow::Stop),
        ("cd29", Flow::Stop),
        ("cd2d", Flow::Next),
        ("0f05", Flow::SystemCall),
        ("90", Flow::Next),
    ] {
        let decoded = Instruction::decode(Machine::X64, Virt(0x1000), &bytes(hex)).unwrap();
        assert_eq!(decoded.flow, flow, "{hex}");
    }
    for (word, flow) in [
        (0xd65f03c0u32, Flow::Return),
        (0xd65f0fff, Flow::Return),
        (0x14000004, Flow::Jump(Virt(0x1010))),
        (0x54000080, Flow::Branch(Virt(0x1010))),
        (0xb4000080, Flow::Branch(Virt(0x1010))),
        (0x97fffffc, Flow::Call(Virt(0xff0))),
        (0xd63f0100, Flow::CallIndirect),
        (0xd61f0100, Flow::JumpIndirect),
        (0xd4000001, Flow::SystemCall),
        (0xd43e0000, Flow::Stop),
        (0xd503201f, Flow::Next),
        (0, Flow::Stop),
    ] {
        let bytes = word.to_le_bytes();
        let decoded = Instruction::decode(Machine::Arm64, Virt(0x1000), &bytes).unwrap();
        assert_eq!(decoded.flow, flow, "{word:#x}");
    }
}

#[test]
fn what_instructions_write() {
    let writes = |machine, hex: &str| {
        let writes = Instruction::decode(machine, Virt(0x1000), &bytes(hex))
            .unwrap()
            .writes();
        let numbers: Vec<u8> = Writes::numbers(writes.general).collect();
        (numbers, writes.vector, writes.memory)
    };
    let x64 = |hex| writes(Machine::X64, hex);
    assert_eq!(x64("41b84c65616b"), (vec![8], 0, vec![]));
    assert_eq!(x64("48f7f1"), (vec![0, 2], 0, vec![]));
    assert_eq!(x64("f00fb10a"), (vec![0], 0, vec![Written::Operand(4)]));
    assert_eq!(
        x64("57"),
        (vec![4], 0, vec![Written::Near([Some(4), None])])
    );
    assert_eq!(x64("0f58c1"), (vec![], 1, vec![]));
    let arm64 = |hex| writes(Machine::Arm64, hex);
    // mov w0,#1; stp fp,lr,[sp,#-0x40]!; ldp x19,x20,[sp],#0x10; ldr q1,[x0]; ldaxr x8,[x9]; mov x31,x0
    assert_eq!(arm64("20008052"), (vec![0], 0, vec![]));
    assert_eq!(arm64("fd7bbca9"), (vec![31], 0, vec![Written::Operand(16)]));
    assert_eq!(arm64("f353c1a8"), (vec![19, 20, 31], 0, vec![]));
    assert_eq!(arm64("0100c03d"), (vec![], 2, vec![]));
    let exclusive = (vec![8], 0, vec![Written::Near([Some(9), None])]);
    assert_eq!(arm64("28fd5fc8"), exclusive);
    assert_eq!(arm64("ff0300aa"), (vec![], 0, vec![]));
}

#[test]
fn where_operands_lie() {
    let register = |name: &str| match name {
        "rsp" => Some(0x1000),
        "r10" => Some(0x200),
        "rcx" => Some(3),
        _ => None,
    };
    for (hex, segment, at, size) in [
        ("48894c2408", "ss", Some(0x1008), 8),
        ("4d8b14ca", "ds", Some(0x218), 8),
        ("65488b042588010000", "gs", Some(0x188), 8),
        ("8b0510000000", "ds", Some(0x5016), 4),
        ("8b00", "ds", None, 4),
    ] {
        let decoded = Instruction::decode(Machine::X64, Virt(0x5000), &bytes(hex)).unwrap();
        let operand = decoded.memory().unwrap();
        assert_eq!(
            (operand.segment, operand.offset(&register), operand.size),
            (segment, at.map(Virt), size),
            "{hex}"
        );
    }
    let lea = Instruction::decode(Machine::X64, Virt(0), &bytes("488d4c2408")).unwrap();
    assert_eq!(lea.memory(), None);
}
