"""How the numeric kernels are compiled: once a machine, then loaded from numba's cache.

Floating-point rules stay strict, so that a window gets the same numbers on every processor and the content hash of a
dataset does not depend on which machine of a cluster built it. `compiled_extremes` loosens them for kernels that take
maxima only, which come out the same in any order.
"""

from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")
compiled_extremes = njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
