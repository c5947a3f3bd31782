"""What gunicorn and the flask command load."""

import logging.config

from allthing import create_app
from allthing.config import load_settings
from allthing.runtime.logs import logging_config

settings = load_settings()
logging.config.dictConfig(logging_config(settings.log_level))
app = create_app(settings)
