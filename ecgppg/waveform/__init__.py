"""From WFDB files to filtered, judged ten-second windows; knows no clinic and no torch."""
