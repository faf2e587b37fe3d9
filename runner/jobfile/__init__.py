from runner.jobfile.codes import CODES
from runner.jobfile.document import read_document
from runner.jobfile.keys import Kinds
from runner.jobfile.load import LoadedJob, find_root, load_job, read_job
from runner.jobfile.model import FailureOptions, Job, PoolOptions, TaskOptions, Tolerance
from runner.jobfile.problem import Problem, Span, nearest
from runner.jobfile.render import render_concise, render_text, to_json
from runner.jobfile.tree import Document

__all__ = [
    "CODES",
    "Document",
    "FailureOptions",
    "Job",
    "Kinds",
    "LoadedJob",
    "PoolOptions",
    "Problem",
    "Span",
    "TaskOptions",
    "Tolerance",
    "find_root",
    "load_job",
    "nearest",
    "read_document",
    "read_job",
    "render_concise",
    "render_text",
    "to_json",
]
