"""What a recipe can be told: one frozen struct a part, read from TOML, changed by `--set part.key=value`.

Unknown keys, wrong types and impossible values are errors before any work starts. A struct never travels
into a layer or a function of another room: its fields do.
"""

from asr.config.learning import BatchingConfig as BatchingConfig
from asr.config.learning import GridConfig as GridConfig
from asr.config.learning import TrainingConfig as TrainingConfig
from asr.config.part import Fraction as Fraction
from asr.config.part import Natural as Natural
from asr.config.part import NonNegativeFloat as NonNegativeFloat
from asr.config.part import Part as Part
from asr.config.part import Positive as Positive
from asr.config.part import PositiveFloat as PositiveFloat
from asr.config.part import Probability as Probability
from asr.config.shipping import FurtherSetConfig as FurtherSetConfig
from asr.config.shipping import ShippingConfig as ShippingConfig
from asr.config.speech import CMUDICT as CMUDICT
from asr.config.speech import LETTER_TO_SOUND as LETTER_TO_SOUND
from asr.config.speech import LEXICON as LEXICON
from asr.config.speech import PIECES as PIECES
from asr.config.speech import FeaturesConfig as FeaturesConfig
from asr.config.speech import UnitKind as UnitKind
from asr.config.speech import UnitsConfig as UnitsConfig
from asr.config.start import PLACES as PLACES
from asr.config.start import PRETRAINED as PRETRAINED
from asr.config.start import differing_keys as differing_keys
from asr.config.whole import Config as Config
from asr.config.whole import apply_setting as apply_setting
from asr.config.whole import dump_config as dump_config
from asr.config.whole import load_config as load_config
from asr.config.whole import parse_config as parse_config
from asr.config.whole import writes_phones as writes_phones
from asr.config.words import DecodingConfig as DecodingConfig
from asr.config.words import LanguageModelConfig as LanguageModelConfig
from asr.config.words import RescoringConfig as RescoringConfig
from asr.config.words import TuningConfig as TuningConfig
