"""Where sound comes from. Everything here ends in the same thing: blocks of 16 kHz mono float32.

    base.py          Block, Source: the seam to the pipeline
    opening.py       open_source: a [[source]] section of the configuration -> a Source

    microphone.py    Microphone, input_devices   sounddevice (PortAudio)
    port_audio.py    PortAudio: the library's process-wide device list, found and renewed
    recording.py     Recording                   soundfile
    decoding.py      AudioFile: frames of a file, or one sentence why not
    pipe.py          StandardInput, FfmpegStream
    ffmpeg.py        the ffmpeg child: its arguments, its pipes, its end

    conditioning.py  any rate and channels -> blocks (finite, mixed down, resampled, within [-1, 1])
    resample.py      Resampler                   soxr
    backoff.py       Backoff: how long to wait before trying a lost source again

Importing this package loads nothing: each module is imported by whoever needs it, and loads its audio library when
its first source is opened.
"""
