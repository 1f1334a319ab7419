"""All tables of calls."""

from tests.source_layers.calls_activation import ACTIVATION
from tests.source_layers.calls_convolution import CONVOLUTION
from tests.source_layers.calls_losses import LOSSES
from tests.source_layers.calls_normalisation import NORMALISATION
from tests.source_layers.calls_pooling import POOLING
from tests.source_layers.calls_recurrent import RECURRENT

CALLS = (*CONVOLUTION, *NORMALISATION, *ACTIVATION, *POOLING, *RECURRENT, *LOSSES)
