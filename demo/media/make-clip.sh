#!/bin/sh
# Makes clip.mpegts: 10 s of H.264 (30 fps, a key frame every 60) and AAC in MPEG-TS, the same bytes on every run of
# the same ffmpeg. Needs ffmpeg with libx264.
set -eu
cd "$(dirname "$0")"
exec ffmpeg -hide_banner -loglevel error -nostdin -y -fflags +bitexact \
  -f lavfi -i testsrc2=size=640x360:rate=30:duration=10 \
  -f lavfi -i sine=frequency=440:sample_rate=48000:duration=10 \
  -map 0:v -map 1:a -flags:v +bitexact -flags:a +bitexact -map_metadata -1 \
  -c:v libx264 -preset medium -profile:v high -pix_fmt yuv420p -threads 1 \
  -g 60 -keyint_min 60 -sc_threshold 0 -bf 0 -b:v 1000k -maxrate 1200k -bufsize 1000k \
  -c:a aac -b:a 96k -ac 2 \
  -f mpegts -muxrate 1400k -pcr_period 20 -pat_period 0.5 clip.mpegts
