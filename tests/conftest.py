"""What all tests share: MindSpore speaks only of errors."""

from __future__ import annotations

import os

os.environ.setdefault("GLOG_v", "3")
