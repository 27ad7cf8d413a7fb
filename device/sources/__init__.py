"""Where sound comes from: every source gives blocks of 16 kHz mono float32.

base.py          Source, the seam to the pipeline
opening.py       a [[source]] section of the configuration -> its source

microphone.py    a microphone, through sounddevice (PortAudio)
port_audio.py    PortAudio, one for the process, and its list of devices
recording.py     a file as a source
decoding.py      frames of a file, or one sentence that says why not: chooses who reads it
riff.py          where the samples of a WAV are; headers of WAV, AU and CAF put right
mpeg.py          where the frames of an MP3 are
links.py         where Ogg and FLAC files that were joined begin
window.py        parts of a file as one file
libsndfile.py    frames through libsndfile
pipe.py          standard input, and what ffmpeg opens
ffmpeg.py        the ffmpeg child: its arguments, its pipes, its end
playlist.py      which stream a playlist names

conditioning.py  any rate and channels -> blocks: finite, mixed down, resampled, within [-1, 1]
mixing.py        channels -> mono, also where they cancel each other
resample.py      any rate -> 16 kHz, compiled or with soxr
backoff.py       how long to wait before a lost source is tried again

Each module is imported by whoever needs it, and loads its audio library when its first source is opened.
"""
