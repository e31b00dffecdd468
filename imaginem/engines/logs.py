"""Log lines of engines name the job that they are about."""

import logging

from imaginem.ports import CallContext


def logger_for(
    logger: logging.Logger, call: CallContext
) -> "logging.LoggerAdapter[logging.Logger]":
    """Return a logger that adds batch id, job id and step to each record, as `job.log` does."""
    return logging.LoggerAdapter(logger, call.ids)
