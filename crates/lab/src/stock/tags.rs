//! The tags of an ordinary machine, by how much they hold: the curve is that of real machines, the figures are made up.

use crate::plan::{PoolUse, Tag};
use crate::random::Random;

/// Nonpaged tags, the greatest first.
const NON_PAGED: &str = "\
    ALPCProcEtwGNtxFMmCaVadSDxgKiGfxThrmVi12NDndConTMmStIrp NtfxPoolTcpEAfdETokeIoNmFMfnSemaEvenMmCiFMslViSh\
    NSIcVadlVi03NpFsTCPcAfdCClasRTWFRTKAUsbCxhciU3HbHidCUcx0ScDiClfsWofdCcSc360f360NBAPIPsInSeTdIoCmMmPrCcVa\
    NDbmNDppNDocNMctIPcbInfoTSicAlCIAlRgALPrEtwLEtwSEtwDKrbcKeDpVadFVad MmDtMmInMmSmMmWsMmVdMmFbMmPfDxgADxgT\
    PciBPcicAcpiAcpAAcpDAcpRVolMVolXPmPmPmMeSpacMntAStaCRaDASpDNRaRSEhSCFiFiWofnFsRcNDrvNioMNsiMfwpkFwpcWfpL\
    FVE0VoSnVoSbsmSTrdybMup IoRaScClCrDmScCdTPMtWdogNpFrMsfsTdx NbtfNbtlAfUxAfdBAfdPVwFiNDpaNDcaNbiOVidLWhvr\
    RxSCRxFcCscCNSIpsmbiDfsCFatFFatNBam AhcP360h360b360n360eUMBsIgdPIgdkHdAuPcCrPcNwPcSXDrmkKSBAKSobKScfHECI\
    PpmiIntAHidUHidPKbdHKbdCMouHMouCMoniDxgMDxgVLuaFwcifCldfHsmFSqFlBindLltdMsLlRspnWanANDuinwifCondQUICUlHT\
    UlURUlCOLBanMpsDSmbMSmb2LSnmLS2sMmcsNduMPeAuTRgWSstpNDpxAgil360CL2tpPpTpPPPoNDtaClpSCEApPdc Pcw WTRtSgrm\
    AcpESSHeWppRFxDrFxLoFxIrWdLdKspkCngbCIcrWerkKsecPSHDTmTxTmRm\
    AlEBAlHaAlInAlMsAlReAlSeArbrCMInCcBcCcEvCcPBCcWKCcWqCIhaDbCbDiDiEtwAEtwCEtwFEtwMEtwPEtwQEtwTEtwUEtwX\
    EtwZExwoFSroFSunFstbGsemHalAHvlPImFiInPaIoBoIoDnIoEaIoErIoInIoKBIoReIoRiIoSDIoSeIoShIoSiIoTiIovAKPRC\
    KSDOKeFiKeSIKiMhLpcMMmAcMmBkMmBuMmClMmCpMmDbMmDpMmEpMmEvMmExMmGcMmHnMmHtMmIRMmImMmLdMmLnMmMlMmNoMmPa\
    MmPbMmPgMmPhObDmObScPcwCPfTtPpDiPsApPsCrPsExRtlASmMeTmRsVmEmWmiR";

/// Paged tags, the greatest first.
const PAGED: &str = "\
    CM31MmStNtfFCM25FMfnToke360fSeSdIoNmObDiNtffMmSmCM16CIcrFIcsUlURSeTlAlMsCMNbPsFnDxgKGtmpKey AtomWofnMuiA\
    CMVaObSqSeAcObNmIoFiSeAtPfRLSeLSCcFCFMslCMDaCMalWnf NtFsFsRcSymtUsqmPpRTMPcrRtlTPcicClfsCllbTmEnMntAVoSn\
    NpFrMsfsRxSCRxFcCscCAhcP360nHsmFBindUlCOSmbMSmb2LS2sPeAuRpcmRpcsLSbfBcryNtf9Ntf0Ntf4CMkbCMsbCMpaCMRmPsQb\
    PsJbIoUsPnpDScPBViMmUsti\
    AlScAlViCMDeCMNoCMScCMUwCTStCLIDCSlsCSrsEcphIoLoIoNuMmPdMmRlMmSbMmScObHdObCiPfALPfDqPfFKPfSAPsHlPsPb\
    RtUnSeHnSeLwSeObSePhSeRdSeUsSmEtTtcAUsKeWmiG";

/// A tag that is not text: a terminal that prints it as it stands clears its screen.
pub(crate) const ESCAPE: [u8; 4] = *b"\x1b[2J";

/// Bytes of the greatest nonpaged tag that is not special, and how the others follow.
const NON_PAGED_TOP: (f64, f64) = (2_590_000.0, 0.945);
const PAGED_TOP: (f64, f64) = (12_300_000.0, 0.905);

/// All ordinary tags except those in `special`.
pub(crate) fn all(special: &[Tag]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    fill(&mut tags, NON_PAGED, NON_PAGED_TOP, special, |tag| {
        &mut tag.non_paged
    });
    fill(&mut tags, PAGED, PAGED_TOP, special, |tag| &mut tag.paged);
    // in the middle of the list: the last of it came when the kernel's table was full
    let escape = PoolUse {
        count: 3,
        bytes: 0x1e0,
        freed: 17,
    };
    // a tag that was used, and of which nothing is left
    let gone = PoolUse {
        count: 0,
        bytes: 0,
        freed: 4_711,
    };
    for (tag, non_paged) in [(ESCAPE, escape), (*b"Gone", gone)] {
        let paged = PoolUse::default();
        tags.insert(
            tags.len() / 2,
            Tag {
                tag,
                non_paged,
                paged,
            },
        );
    }
    tags
}

fn fill(
    tags: &mut Vec<Tag>,
    names: &str,
    top: (f64, f64),
    special: &[Tag],
    place: fn(&mut Tag) -> &mut PoolUse,
) {
    let mut about = top.0;
    for name in names
        .as_bytes()
        .chunks_exact(4)
        .filter_map(|name| <[u8; 4]>::try_from(name).ok())
    {
        if special.iter().any(|tag| tag.tag == name) {
            continue;
        }
        let mut random =
            Random::new(u64::from(u32::from_le_bytes(name)) << 8 | top.1.to_bits() & 0xff);
        let block = [0x30, 0x50, 0x80, 0xc0, 0x140, 0x250, 0x400][random.below(7) as usize];
        let count = ((about * random.between(85, 100) as f64 / 100.0) as u64 / block).max(1);
        let held = PoolUse {
            count,
            bytes: count * block,
            freed: count * random.between(1, 900) + random.below(90),
        };
        about *= top.1;
        match tags.iter_mut().find(|tag| tag.tag == name) {
            Some(tag) => *place(tag) = held,
            None => {
                let mut tag = Tag {
                    tag: name,
                    ..Tag::default()
                };
                *place(&mut tag) = held;
                tags.push(tag);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_large_and_its_sums_are_plausible() {
        let tags = all(&[]);
        assert!(tags.len() > 250, "{}", tags.len());
        let non_paged: u64 = tags.iter().map(|tag| tag.non_paged.bytes).sum();
        let paged: u64 = tags.iter().map(|tag| tag.paged.bytes).sum();
        assert!((35_000_000..52_000_000).contains(&non_paged), "{non_paged}");
        assert!((90_000_000..134_000_000).contains(&paged), "{paged}");
        assert!(tags.iter().all(|tag| tag.non_paged.bytes < 2_672_640));
    }

    #[test]
    fn every_name_has_four_letters() {
        for list in [NON_PAGED, PAGED] {
            assert_eq!(list.len() % 4, 0);
            let mut names: Vec<&[u8]> = list.as_bytes().chunks_exact(4).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }

    #[test]
    fn no_tag_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for tag in all(&[]) {
            assert!(
                seen.insert(tag.tag),
                "{:?}",
                String::from_utf8_lossy(&tag.tag)
            );
        }
    }
}
