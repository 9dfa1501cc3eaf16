//! Writes what was heard to a file: WAV, or Ogg Opus (RFC 7845).

use anyhow::Result;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// 48 kHz mono, 16 bits.
pub fn write_wav(path: &Path, pcm: &[f32]) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in pcm {
        writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16)?;
    }
    Ok(writer.finalize()?)
}

/// 48 kHz mono Opus at 64 kbit/s in an Ogg file.
pub fn write_ogg(path: &Path, pcm: &[f32]) -> Result<()> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Audio)?;
    encoder.set_bitrate(opus::Bitrate::Bits(64_000))?;
    let skip = encoder.get_lookahead()? as u16;
    let mut writer = ogg::PacketWriter::new(BufWriter::new(File::create(path)?));
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend_from_slice(&skip.to_le_bytes());
    head.extend_from_slice(&48_000u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    writer.write_packet(head, 1, ogg::PacketWriteEndInfo::EndPage, 0)?;
    let mut tags = b"OpusTags".to_vec();
    let vendor = b"majlis-load";
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&[0; 4]);
    writer.write_packet(tags, 1, ogg::PacketWriteEndInfo::EndPage, 0)?;
    let packets = pcm.len().div_ceil(960);
    for (number, chunk) in pcm.chunks(960).enumerate() {
        let mut frame = [0.0; 960];
        frame[..chunk.len()].copy_from_slice(chunk);
        let end = match number + 1 {
            last if last == packets => ogg::PacketWriteEndInfo::EndStream,
            full if full % 50 == 0 => ogg::PacketWriteEndInfo::EndPage,
            _ => ogg::PacketWriteEndInfo::NormalPacket,
        };
        let position = u64::from(skip) + 960 * number as u64 + chunk.len() as u64;
        writer.write_packet(encoder.encode_vec_float(&frame, 1275)?, 1, end, position)?;
    }
    Ok(())
}
