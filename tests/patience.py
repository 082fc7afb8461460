"""Inside Blender: work that goes on until a test ends it."""

import bpy
from paintover import jobs
from paintover.backend.errors import BackendError, Cancelled
from paintover.operators.base import WorkOperator


class Patient:
    """A ticket that does nothing. ``ended``: how the artist ended it."""

    def __init__(self):
        self.done, self.ended, self.error = False, "", None

    def poll(self):
        return []

    def result(self):
        if self.error is not None:
            raise self.error
        return {}

    def finish(self):
        self.done = True

    def fail(self):
        self.done, self.error = True, BackendError("The work failed.")

    def cancel(self):
        self.done, self.ended, self.error = True, "cancel", Cancelled("Cancelled.")

    def stop(self):
        self.done, self.ended = True, "stop"


def patient(tickets):
    """What starts such work, and puts its ticket into ``tickets``."""

    def start():
        tickets.append(Patient())
        return tickets[-1]

    return start


def work_operator(start, **kind):
    """Make the operator ``paintover.be_patient``."""

    class BePatient(WorkOperator, bpy.types.Operator):
        bl_idname = "paintover.be_patient"
        bl_label = "Be Patient"

        def work(self, _context):
            return jobs.Work("Be Patient", start, **kind)

    bpy.utils.register_class(BePatient)
