//! The drivers of an ordinary machine: names, sizes, and the tags under which they are known to allocate.

use crate::plan::{Driver, Module, ModuleBody, Style};
use crate::random::Random;
use crate::version::Version;
use rkd_dump::addr::Virt;

/// A driver that ordinary machines have.
struct StockDriver {
    name: &'static str,
    pages: u32,
    tags: &'static str,
    style: Style,
    maker: Maker,
}

/// Who made a driver: Windows' own have a hash where others have a date.
#[derive(Clone, Copy, PartialEq)]
enum Maker {
    Microsoft,
    Other(&'static str),
}

const fn classic(name: &'static str, pages: u32, tags: &'static str) -> StockDriver {
    StockDriver {
        name,
        pages,
        tags,
        style: Style::Classic,
        maker: Maker::Microsoft,
    }
}

const fn modern(name: &'static str, pages: u32, tags: &'static str) -> StockDriver {
    StockDriver {
        name,
        pages,
        tags,
        style: Style::Modern,
        maker: Maker::Microsoft,
    }
}

const fn framework(name: &'static str, pages: u32, tags: &'static str) -> StockDriver {
    StockDriver {
        name,
        pages,
        tags,
        style: Style::Framework,
        maker: Maker::Microsoft,
    }
}

const fn lookaside(name: &'static str, pages: u32, tags: &'static str) -> StockDriver {
    StockDriver {
        name,
        pages,
        tags,
        style: Style::Lookaside,
        maker: Maker::Microsoft,
    }
}

const fn other(
    maker: &'static str,
    name: &'static str,
    pages: u32,
    tags: &'static str,
) -> StockDriver {
    StockDriver {
        name,
        pages,
        tags,
        style: Style::Classic,
        maker: Maker::Other(maker),
    }
}

const fn other_framework(
    maker: &'static str,
    name: &'static str,
    pages: u32,
    tags: &'static str,
) -> StockDriver {
    StockDriver {
        name,
        pages,
        tags,
        style: Style::Framework,
        maker: Maker::Other(maker),
    }
}

/// Loaded below the kernel, by the boot loader.
const FIRST: [StockDriver; 11] = [
    modern("hal.dll", 6, ""),
    modern("kd.dll", 0xb, ""),
    modern("mcupdate_GenuineIntel.dll", 0x28f, ""),
    modern("CLFS.SYS", 0x69, "ClfsClFICllb"),
    modern("tm.sys", 0x27, "TmTxTmRmTmEn"),
    modern("PSHED.dll", 0x1a, "PSHD"),
    modern("BOOTVID.dll", 0xb, ""),
    modern("FLTMGR.SYS", 0x72, "FMfnFMvoFMslFMisFMos"),
    modern("msrpc.sys", 0x62, "RpcmRpcs"),
    modern("ksecdd.sys", 0x2a, "KsecLSbf"),
    modern("werkernel.sys", 0x11, "Werk"),
];

/// Behind `clipsp`, still by the boot loader.
const BOOT: [StockDriver; 62] = [
    modern("cmimcext.sys", 0xe, "CmiM"),
    modern("ntosext.sys", 0xc, ""),
    modern("CI.dll", 0xe3, "CIcrCIsn"),
    modern("cng.sys", 0xbb, "CngbBcry"),
    classic("Wdf01000.sys", 0xd1, "FxDrFxLoFxIr"),
    modern("WppRecorder.sys", 0x13, "WppR"),
    classic("WDFLDR.SYS", 0x13, "WdLd"),
    modern("SleepStudyHelper.sys", 0x11, "SSHe"),
    modern("acpiex.sys", 0x26, "AcpE"),
    modern("SgrmAgent.sys", 0x1a, "Sgrm"),
    classic("ACPI.sys", 0xcc, "AcpiAcpAAcpDAcpR"),
    classic("WMILIB.SYS", 0xc, "Wmil"),
    framework("intelpep.sys", 0x5e, "IPEP"),
    modern("WindowsTrustedRT.sys", 0x17, "WTRt"),
    modern("IntelTA.sys", 0xb, ""),
    modern("WindowsTrustedRTProxy.sys", 0xb, ""),
    modern("pcw.sys", 0x14, "Pcw "),
    classic("msisadrv.sys", 0xb, ""),
    classic("pci.sys", 0x76, "PciBPcic"),
    framework("vdrvroot.sys", 0x15, "VDRV"),
    modern("pdc.sys", 0x2f, "Pdc "),
    modern("CEA.sys", 0x19, "CEAp"),
    modern("partmgr.sys", 0x31, "PmPmPmMe"),
    modern("spaceport.sys", 0xac, "SpacSpPo"),
    modern("volmgr.sys", 0x1a, "VolM"),
    modern("volmgrx.sys", 0x63, "VolX"),
    modern("mountmgr.sys", 0x1e, "MntA"),
    classic("storahci.sys", 0x31, "StaC"),
    classic("storport.sys", 0xb0, "ConTRaDASpDNRaRS"),
    framework("EhStorClass.sys", 0x1e, "EhSC"),
    modern("fileinfo.sys", 0x1a, "FiFi"),
    modern("Wof.sys", 0x40, "WofdWofn"),
    modern("Ntfs.sys", 0x2d9, "NtFsNtfxNtfFNtffNtxF"),
    modern("Fs_Rec.sys", 0xd, "FsRc"),
    modern("ndis.sys", 0x170, "NDndNDbmNDppNDrvNDoc"),
    modern("NETIO.SYS", 0x98, "NioMNMctNsiM"),
    modern("ksecpkg.sys", 0x32, "Kspk"),
    modern("tcpip.sys", 0x2ec, "TcpETcptTCPcTSicIPcbInfo"),
    modern("fwpkclnt.sys", 0x7a, "fwpkFwpc"),
    modern("wfplwfs.sys", 0x30, "WfpL"),
    modern("fvevol.sys", 0xc8, "FVE0"),
    modern("volume.sys", 0xb, ""),
    modern("volsnap.sys", 0x6d, "VoSnVoSb"),
    modern("rdyboost.sys", 0x50, "smSTrdyb"),
    modern("mup.sys", 0x26, "Mup "),
    modern("iorate.sys", 0x12, "IoRa"),
    modern("disk.sys", 0x1f, "ScDi"),
    modern("CLASSPNP.SYS", 0x6c, "ClasScCl"),
    modern("crashdmp.sys", 0x1e, "CrDm"),
    modern("cdrom.sys", 0x30, "ScCd"),
    modern("filecrypt.sys", 0x15, "FCrp"),
    modern("tbs.sys", 0xe, "TPMt"),
    classic("Null.SYS", 0xa, ""),
    classic("Beep.SYS", 0xa, ""),
    modern("dxgkrnl.sys", 0x3a4, "DxgKDxgADxgT"),
    modern("watchdog.sys", 0x17, "Wdog"),
    modern("BasicDisplay.sys", 0x16, ""),
    modern("BasicRender.sys", 0x11, ""),
    modern("Npfs.SYS", 0x1c, "NpFsNpFr"),
    modern("Msfs.SYS", 0x11, "Msfs"),
    modern("CimFS.SYS", 0x1e, "CimF"),
    modern("tdx.sys", 0x22, "Tdx "),
];

/// Loaded by the kernel during start: networks, buses, devices.
const SYSTEM: [StockDriver; 61] = [
    modern("TDI.SYS", 0x10, ""),
    modern("netbt.sys", 0x5d, "NbtfNbtl"),
    modern("afunix.sys", 0x14, "AfUx"),
    modern("afd.sys", 0xa6, "AfdEAfdCAfdBAfdP"),
    modern("vwififlt.sys", 0x1a, "VwFi"),
    modern("pacer.sys", 0x2a, "NDpa"),
    modern("ndiscap.sys", 0x14, "NDca"),
    modern("netbios.sys", 0x15, "NbiO"),
    modern("Vid.sys", 0xa2, "VidL"),
    modern("winhvr.sys", 0x20, "Whvr"),
    modern("rdbss.sys", 0x7b, "RxSCRxFc"),
    modern("csc.sys", 0x8f, "CscC"),
    modern("nsiproxy.sys", 0x12, "NSIp"),
    modern("npsvctrig.sys", 0xe, ""),
    modern("mssmbios.sys", 0x10, "smbi"),
    modern("gpuenergydrv.sys", 0xa, ""),
    modern("dfsc.sys", 0x2c, "DfsC"),
    modern("fastfat.SYS", 0x6c, "FatFFatN"),
    modern("bam.sys", 0x17, "Bam "),
    modern("ahcache.sys", 0x51, "AhcP"),
    other("360.cn", "BAPIDRV64.sys", 0x36, "BAPI"),
    other("360.cn", "360AntiHacker64.sys", 0x2f, "360h"),
    other("360.cn", "360Box64.sys", 0x59, "360b"),
    other("360.cn", "360FsFlt.sys", 0x7d, "360f360n"),
    other("360.cn", "360netmon.sys", 0x1b, "360N"),
    other("360.cn", "360AntiExploit64.sys", 0x34, "360e"),
    modern("CompositeBus.sys", 0x11, ""),
    modern("kdnic.sys", 0xd, ""),
    framework("umbus.sys", 0x15, "UMBs"),
    other("Intel Corporation", "igdkmd64.sys", 0x1d7d, "iGfxIgdPIgdk"),
    modern("HDAudBus.sys", 0x25, "HdAu"),
    modern("portcls.sys", 0x66, "PcCrPcNwPcSX"),
    modern("drmk.sys", 0x21, "Drmk"),
    modern("ks.sys", 0x7c, "KSBAKSobKScf"),
    other_framework("Intel Corporation", "TeeDriverW8x64.sys", 0x47, "HECI"),
    framework("USBXHCI.SYS", 0xa3, "xhci"),
    framework("ucx01000.sys", 0x44, "Ucx0"),
    other("Realtek", "rt640x64.sys", 0x11d, "287R2872"),
    other(
        "Realtek Semiconductor Corporation",
        "rtwlane.sys",
        0x9b3,
        "KETRRTWF",
    ),
    modern("vwifibus.sys", 0xe, ""),
    classic("intelppm.sys", 0x4b, "Ppmi"),
    classic("acpipagr.sys", 0xa, ""),
    framework("NdisVirtualBus.sys", 0xd, ""),
    modern("swenum.sys", 0xc, ""),
    framework("rdpbus.sys", 0xe, ""),
    framework("usbhub3.sys", 0xa4, "U3HbUHUB"),
    modern("USBD.SYS", 0xe, ""),
    other("Intel(R) Corporation", "IntcDAud.sys", 0x126, "IntA"),
    other("Realtek Semiconductor Corp.", "RTKVHD64.sys", 0x630, "RTKA"),
    modern("ksthunk.sys", 0xf, ""),
    framework("usbccgp.sys", 0x35, "UsbC"),
    framework("hidusb.sys", 0x12, "HidU"),
    modern("HIDCLASS.SYS", 0x3f, "HidCHidP"),
    modern("HIDPARSE.SYS", 0x13, ""),
    framework("kbdhid.sys", 0x11, "KbdH"),
    framework("kbdclass.sys", 0x14, "KbdC"),
    framework("mouhid.sys", 0x10, "MouH"),
    framework("mouclass.sys", 0x13, "MouC"),
    modern("dump_dumpstorport.sys", 0xe, ""),
    modern("dump_storahci.sys", 0x31, ""),
    modern("dump_dumpfve.sys", 0x1d, ""),
];

/// Session drivers, by their own addresses.
const SESSION: [(StockDriver, u64); 4] = [
    (lookaside("win32k.sys", 0x9a, "Usti"), 0xffff_c25c_8a56_0000),
    (
        lookaside("win32kbase.sys", 0x2d0, "GbafGh05Usqu"),
        0xffff_c25c_891b_0000,
    ),
    (
        lookaside("win32kfull.sys", 0x3b5, "GtmpGlaNUsrt"),
        0xffff_c25c_8a19_0000,
    ),
    (lookaside("cdd.dll", 0x48, "Gcdd"), 0xffff_c25c_8a60_0000),
];

/// Loaded late: file system filters, networks, services.
const LATE: [StockDriver; 29] = [
    modern("dxgmms2.sys", 0xe2, "DxgMDxgV"),
    modern("luafv.sys", 0x2b, "LuaF"),
    modern("wcifs.sys", 0x39, "wcif"),
    modern("cldflt.sys", 0x7f, "CldfHsmF"),
    modern("storqosflt.sys", 0x1c, "SqFl"),
    modern("bindflt.sys", 0x29, "Bind"),
    modern("lltdio.sys", 0x17, "Lltd"),
    modern("mslldp.sys", 0x18, "MsLl"),
    modern("rspndr.sys", 0x1b, "Rspn"),
    modern("wanarp.sys", 0x1d, "WanA"),
    modern("ndisuio.sys", 0x17, "NDui"),
    modern("nwifi.sys", 0xb3, "nwif"),
    modern("condrv.sys", 0x13, "Cond"),
    modern("msquic.sys", 0x58, "QUIC"),
    modern("HTTP.sys", 0x18c, "UlHTUlURUlCO"),
    modern("bowser.sys", 0x26, "LBan"),
    modern("mpsdrv.sys", 0x1b, "MpsD"),
    modern("mrxsmb.sys", 0x93, "SmbM"),
    modern("mrxsmb20.sys", 0x47, "Smb2"),
    modern("srvnet.sys", 0x53, "LSnm"),
    modern("srv2.sys", 0xc4, "LS2s"),
    modern("mmcss.sys", 0x14, "Mmcs"),
    modern("Ndu.sys", 0x27, "NduM"),
    modern("peauth.sys", 0xd6, "PeAu"),
    modern("tcpipreg.sys", 0x14, "TRgW"),
    modern("rassstp.sys", 0x1d, "Sstp"),
    modern("NDProxy.sys", 0x1f, "NDpx"),
    modern("AgileVpn.sys", 0x29, "Agil"),
    other("360.cn", "360Camera64.sys", 0x13, "360C"),
];

/// Behind the driver that the article is about.
const LAST: [StockDriver; 4] = [
    modern("rasl2tp.sys", 0x22, "L2tp"),
    modern("raspptp.sys", 0x21, "PpTp"),
    modern("raspppoe.sys", 0x1c, "PPPo"),
    modern("ndistapi.sys", 0xf, "NDta"),
];

/// Folder of most drivers.
const DRIVERS: &str = "\\SystemRoot\\System32\\drivers\\";
const SYSTEM32: &str = "\\SystemRoot\\system32\\";

/// All drivers of an ordinary machine in load order, the kernel at this address. `avoid` are ranges where nothing may lie.
pub(crate) fn all(kernel: Virt, kernel_size: u32, avoid: &[(u64, u64)]) -> Vec<Module> {
    let at = |low: u64| Virt((kernel.0 & 0xffff_ffff_0000_0000) | low);
    let mut modules = vec![Module {
        name: "ntoskrnl.exe".to_owned(),
        alias: None,
        folder: SYSTEM32,
        base: kernel,
        size: kernel_size,
        time_stamp: 0xa7c7_c06a,
        checksum: 0x00a6_3f1d,
        body: ModuleBody::Kernel,
    }];
    let clip = modern("clipsp.sys", 0x116, "ClpS");
    let monitor = modern("monitor.sys", 0x1b, "Moni");
    place(&FIRST, at(0x21e0_0000), avoid, &mut modules);
    modules.push(module(&clip, at(0x23c0_0000)));
    place(&BOOT, at(0x23d2_0000), avoid, &mut modules);
    place(&SYSTEM, at(0x3100_0000), avoid, &mut modules);
    modules.extend(SESSION.iter().map(|(line, base)| module(line, Virt(*base))));
    place(&LATE, at(0x4700_0000), avoid, &mut modules);
    modules.push(module(&monitor, at(0x47f3_0000)));
    place(&LAST, at(0x47f6_0000), avoid, &mut modules);
    modules
}

/// Lays the lines one after the other, on boundaries of 64 KiB.
fn place(lines: &[StockDriver], start: Virt, avoid: &[(u64, u64)], modules: &mut Vec<Module>) {
    let mut next = start.0;
    for line in lines {
        let size = u64::from(line.pages) * 0x1000;
        while let Some((_, end)) = avoid
            .iter()
            .find(|(low, high)| next < *high && *low < next + size)
        {
            next = end.next_multiple_of(0x1_0000);
        }
        modules.push(module(line, Virt(next)));
        next = (next + size).next_multiple_of(0x1_0000);
    }
}

fn module(line: &StockDriver, base: Virt) -> Module {
    let mut random = Random::named(line.name);
    let folder = if line.name.ends_with(".dll") || line.name.starts_with("win32k") {
        SYSTEM32
    } else {
        DRIVERS
    };
    let time_stamp = match line.maker {
        // reproducible builds have a hash here
        Maker::Microsoft => random.next_u32(),
        // 2018 to 2023
        Maker::Other(_) => random.between(0x5a49_7a00, 0x6550_0000) as u32,
    };
    let tags = line
        .tags
        .as_bytes()
        .chunks_exact(4)
        .filter_map(|tag| tag.try_into().ok())
        .collect();
    let exports: &'static [&'static str] = match line.name {
        "Wdf01000.sys" => &["WdfVersionBind"],
        "FLTMGR.SYS" => &[
            "FltAllocatePoolAlignedWithTag",
            "FltFreePoolAlignedWithTag",
            "FltRegisterFilter",
        ],
        "ndis.sys" => &[
            "NdisAllocateMemoryWithTagPriority",
            "NdisFreeMemory",
            "NdisMRegisterMiniportDriver",
        ],
        _ => &[],
    };
    let version = match line.maker {
        Maker::Other(maker) => Some(third_party(maker, line.name, &mut random)),
        Maker::Microsoft => None,
    };
    Module {
        name: line.name.to_owned(),
        alias: match line.name {
            "kd.dll" => Some("kdcom.dll".to_owned()),
            "mcupdate_GenuineIntel.dll" => Some("mcupdate.dll".to_owned()),
            _ => None,
        },
        folder,
        base,
        size: line.pages * 0x1000,
        time_stamp,
        checksum: random.between(0x8000, 0x8_0000) as u32 + line.pages * 0x1000,
        body: ModuleBody::Driver(Box::new(Driver {
            tags,
            style: line.style,
            exports,
            version,
            stops: line.name == "kbdhid.sys",
            ..Driver::default()
        })),
    }
}

fn third_party(maker: &str, name: &str, random: &mut Random) -> Version {
    Version {
        company: maker.to_owned(),
        description: format!("{} driver", name.trim_end_matches(".sys")),
        file: [
            random.between(1, 27) as u16,
            random.below(20) as u16,
            random.below(1500) as u16,
            random.between(1000, 9999) as u16,
        ],
        product: format!("{maker} {}", name.trim_end_matches(".sys")),
        name: name.to_owned(),
        copyright: format!("Copyright (C) {maker}"),
    }
}
