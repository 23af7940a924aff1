"""dlquiz: the interview-prep quiz for deep learning whose every answer can be run."""

__version__ = "0.1.0"
