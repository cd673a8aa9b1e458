//! Which build a PDB belongs to, read from its container (MSF 7.00) and nothing else: enough to refuse a wrong file before it
//! gets a place in a cache. The PDB's contents are read elsewhere.

use crate::{Guid, PdbId};
use rkd_dump::bytes::ReadAt;
use std::io::{self, Read, Seek, SeekFrom};

/// The first bytes of a PDB since Visual C++ 7.
pub(crate) const MAGIC: &[u8; 32] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";

/// The largest stream directory that is read. That of a kernel's PDB has 30 KiB.
const MAX_DIRECTORY: u32 = 64 << 20;

/// The numbers of the streams with the PDB's own identity, and with the age that the image repeats.
const INFO: usize = 1;
const DBI: usize = 3;

/// Why a PDB's identity cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MsfError {
    /// The system would not read the file.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It does not begin as a PDB does.
    #[error("not a PDB")]
    NotAPdb,
    /// The superblock is not there whole.
    #[error("the PDB ends within its first block")]
    NoSuperblock,
    /// The size of a block, in bytes, is none.
    #[error("the PDB has blocks of {0} bytes, which none has")]
    BlockSize(u32),
    /// The file is shorter than its blocks.
    #[error("cut short: {length} of {whole} bytes")]
    Cut {
        /// Bytes that are there.
        length: u64,
        /// Bytes that should be.
        whole: u64,
    },
    /// More bytes of directory than there can be.
    #[error("a stream directory of {0} bytes")]
    DirectorySize(u32),
    /// The directory is not there whole.
    #[error("the stream directory ends too early")]
    DirectoryEnd,
    /// The number of a block is too large.
    #[error("a block lies outside of the PDB")]
    BlockNumber,
    /// A stream that every PDB has is missing.
    #[error("the PDB has no such stream")]
    NoStream,
    /// The stream with the identity is not there whole.
    #[error("its identity is cut short")]
    NoIdentity,
}

/// What the superblock says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    block: u32,
    blocks: u32,
    directory: u32,
}

impl Head {
    /// Reads a superblock.
    ///
    /// # Errors
    /// When it is none, or not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Head, MsfError> {
        if !bytes.starts_with(MAGIC) {
            return Err(MsfError::NotAPdb);
        }
        let number = |at| bytes.u32_at(at).ok_or(MsfError::NoSuperblock);
        let head = Head {
            block: number(32)?,
            blocks: number(40)?,
            directory: number(44)?,
        };
        if !head.block.is_power_of_two() || !(512..=65536).contains(&head.block) {
            return Err(MsfError::BlockSize(head.block));
        }
        Ok(head)
    }

    /// How long the file must be, in bytes.
    pub(crate) fn length(self) -> u64 {
        u64::from(self.block) * u64::from(self.blocks)
    }
}

/// The GUID and the age of a PDB; the age is the one that images repeat. `name` becomes the identity's name.
///
/// # Errors
/// When the file is damaged, or not a PDB.
pub(crate) fn identity(file: &mut (impl Read + Seek), name: &str) -> Result<PdbId, MsfError> {
    let length = file.seek(SeekFrom::End(0))?;
    // Behind the six numbers stand the blocks that hold the numbers of the directory's blocks.
    let mut start = vec![0; usize::try_from(length.min(4096)).unwrap_or(4096)];
    read_at(file, 0, &mut start)?;
    let head = Head::parse(&start)?;
    if length < head.length() {
        return Err(MsfError::Cut {
            length,
            whole: head.length(),
        });
    }
    if head.directory > MAX_DIRECTORY || u64::from(head.directory) > length {
        return Err(MsfError::DirectorySize(head.directory));
    }
    let mut msf = Msf { file, head };
    let directory_blocks = head.directory.div_ceil(head.block);
    let maps = (directory_blocks * 4).div_ceil(head.block) as usize;
    let maps: Vec<u32> = (0..maps).map_while(|i| start.u32_at(52 + i * 4)).collect();
    let map = msf.blocks(&maps, directory_blocks * 4)?;
    let directory = msf.blocks(&numbers(&map), head.directory)?;
    let directory = numbers(&directory);
    let info = msf.stream(&directory, INFO, 28)?;
    let guid = info.array_at(12).ok_or(MsfError::NoIdentity)?;
    let own_age = info.u32_at(8).ok_or(MsfError::NoIdentity)?;
    // pdbstr and other tools raise the PDB's own age, but that of the debug information stays the image's.
    let dbi = msf.stream(&directory, DBI, 12).unwrap_or_default();
    let age = dbi.u32_at(8).filter(|_| dbi.u32_at(0) == Some(u32::MAX));
    Ok(PdbId::new(
        Guid::from_memory(*guid),
        age.unwrap_or(own_age),
        name,
    ))
}

struct Msf<'a, F> {
    file: &'a mut F,
    head: Head,
}

impl<F: Read + Seek> Msf<'_, F> {
    /// The first `length` bytes of what lies in these blocks.
    fn blocks(&mut self, blocks: &[u32], length: u32) -> Result<Vec<u8>, MsfError> {
        let mut bytes = Vec::new();
        let mut left = length as usize;
        for &block in blocks {
            let part = left.min(self.head.block as usize);
            if part == 0 {
                break;
            }
            if block >= self.head.blocks {
                return Err(MsfError::BlockNumber);
            }
            let mut piece = vec![0; part];
            read_at(
                self.file,
                u64::from(block) * u64::from(self.head.block),
                &mut piece,
            )?;
            bytes.append(&mut piece);
            left -= part;
        }
        if left > 0 {
            return Err(MsfError::DirectoryEnd);
        }
        Ok(bytes)
    }

    /// The first bytes of a stream, at most `want`.
    fn stream(&mut self, directory: &[u32], index: usize, want: u32) -> Result<Vec<u8>, MsfError> {
        let (&count, rest) = directory.split_first().ok_or(MsfError::DirectoryEnd)?;
        let sizes = rest.get(..count as usize).ok_or(MsfError::DirectoryEnd)?;
        // A stream that was deleted has the size -1 and no blocks.
        let size = |size: u32| if size == u32::MAX { 0 } else { size };
        let blocks = |stream: u32| size(stream).div_ceil(self.head.block) as usize;
        let before: usize = sizes.iter().take(index).map(|&size| blocks(size)).sum();
        let own = *sizes.get(index).ok_or(MsfError::NoStream)?;
        let start = sizes.len().saturating_add(before);
        let list = rest
            .get(start..start.saturating_add(blocks(own)))
            .ok_or(MsfError::DirectoryEnd)?;
        self.blocks(list, size(own).min(want))
    }
}

fn read_at(file: &mut (impl Read + Seek), at: u64, bytes: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(bytes))
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|four| u32::from_le_bytes(*four))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Cursor;

    /// A PDB of seven blocks that holds nothing but its identity.
    pub(crate) fn pdb(guid: u128, age: u32) -> Vec<u8> {
        const BLOCK: usize = 512;
        let mut file = vec![0; BLOCK * 7];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        let mut directory: Vec<u32> = vec![4, 0, 28, u32::MAX, 12, 3, 6];
        put(0, MAGIC);
        for (i, value) in [BLOCK as u32, 1, 7, directory.len() as u32 * 4, 0, 4]
            .into_iter()
            .enumerate()
        {
            put(32 + i * 4, &value.to_le_bytes());
        }
        put(BLOCK * 4, &5u32.to_le_bytes());
        let text: Vec<u8> = directory.drain(..).flat_map(u32::to_le_bytes).collect();
        put(BLOCK * 5, &text);
        let mut info = Vec::new();
        for value in [20000404u32, 0x1234_5678, age + 3] {
            info.extend(value.to_le_bytes());
        }
        let guid = guid.to_be_bytes();
        info.extend([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(|i: usize| guid[i]));
        put(BLOCK * 3, &info);
        for (i, value) in [u32::MAX, 19990903, age].into_iter().enumerate() {
            put(BLOCK * 6 + i * 4, &value.to_le_bytes());
        }
        file
    }

    #[test]
    fn the_age_is_that_of_the_debug_information() {
        let guid = 0x606F_F669_409B_00F7_FC8C_61A9_C167_0129;
        let id = identity(&mut Cursor::new(pdb(guid, 7)), "nt.pdb").unwrap();
        assert_eq!(id, PdbId::new(Guid(guid), 7, "nt.pdb"));
    }

    #[test]
    fn damage_is_an_error() {
        let whole = pdb(1, 1);
        let wrong = |bytes: Vec<u8>| {
            identity(&mut Cursor::new(bytes), "x")
                .unwrap_err()
                .to_string()
        };
        assert_eq!(wrong(b"<html>".to_vec()), "not a PDB");
        assert_eq!(wrong(MAGIC.to_vec()), "the PDB ends within its first block");
        assert_eq!(
            wrong(whole[..3000].to_vec()),
            "cut short: 3000 of 3584 bytes"
        );
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = identity(&mut Cursor::new(bytes), "x");
            }
        }
        for end in 0..whole.len() {
            assert!(identity(&mut Cursor::new(&whole[..end]), "x").is_err());
        }
    }
}
