#!/usr/bin/env python3
"""An H.264 encoder that follows millrace: GStreamer's x264enc, its rate set live.

    millrace send udp://127.0.0.1:5004#video millrace://studio:9000/live \
        --on-bitrate 'python3 gst-x264.py 5004'

millrace starts it once and writes one JSON line per change to its stdin; the end of stdin ends it. The second argument
is a GStreamer source with raw video at its end, such as 'v4l2src ! decodebin'; default: a test picture.
Needs (Debian): gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
python3-gi gir1.2-gstreamer-1.0
"""
import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

TEST_PICTURE = (
    "videotestsrc is-live=true pattern=smpte ! video/x-raw,width=1280,height=720,framerate=30/1 ! timeoverlay"
)
# Before the first line has come.
START_KBPS = 1000
LEAST_KBPS = 64
# MPEG-TS takes the rest.
PICTURE_SHARE = 0.92

port = int(sys.argv[1])
source = sys.argv[2] if len(sys.argv) > 2 else TEST_PICTURE
Gst.init(None)
pipeline = Gst.parse_launch(
    f"{source} ! queue ! videoconvert ! x264enc name=encoder tune=zerolatency speed-preset=veryfast"
    f" bitrate={START_KBPS} vbv-buf-capacity=300 key-int-max=60 ! h264parse config-interval=-1"
    f" ! mpegtsmux alignment=6 ! udpsink host=127.0.0.1 port={port} sync=false"
)
encoder = pipeline.get_by_name("encoder")
loop = GLib.MainLoop()


def follow() -> None:
    """Sets the rate of the encoder, which x264enc takes over with the next picture."""
    for line in sys.stdin:
        news = json.loads(line)
        kbps = max(LEAST_KBPS, int(news["bitsPerSecond"] * PICTURE_SHARE / 1000))
        encoder.set_property("bitrate", kbps)
        print(f"x264enc: {kbps} kbit/s", file=sys.stderr, flush=True)
    loop.quit()


def on_message(_bus: Gst.Bus, message: Gst.Message) -> None:
    """Ends with the source, or with the first error."""
    if message.type == Gst.MessageType.ERROR:
        print(f"gst-x264: {message.parse_error()[0]}", file=sys.stderr)
    if message.type in (Gst.MessageType.ERROR, Gst.MessageType.EOS):
        loop.quit()


bus = pipeline.get_bus()
bus.add_signal_watch()
bus.connect("message", on_message)
pipeline.set_state(Gst.State.PLAYING)
threading.Thread(target=follow, daemon=True).start()
try:
    loop.run()
finally:
    pipeline.set_state(Gst.State.NULL)
