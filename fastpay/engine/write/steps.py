"""What the writer's loop does next.

The loop takes one step after another. The first row that matches decides:

    open batch   at the database     next command   mode     closing   step
    ----------   -----------------   ------------   ------   -------   ------
    due, heavy   nothing             any            any      any       commit
    any          any                 fits           locked   any       take
    any          nothing, decided    fits           ahead    any       take
    heavy        decided             any            any      any       encode
    late         nothing             any            any      any       commit
    waiting      nothing             any            any      any       gather
    empty        nothing             none           any      yes       end
    any          any                 any            any      any       wait

    due       it has enough commands (see `pace.py`), or no room for the next one
    heavy     it is due, weighs more than a plain batch may, and is not encoded yet
    late      it is not due, and the database has waited long enough
    waiting   it has commands, and is none of these
    fits      the queue has a command that may be served, and the open batch has room for it
    commit    send the open batch to the database
    take      move commands from the queue into the open batch, and decide them in the mode "ahead"; those for
              which something must be loaded, and later ones of their tenants, wait aside until it is there
    encode    encode what the open batch writes, so that the database does not wait for that
    gather    wait for the clients that were just answered, a little, and commit if none of them comes
    end       stop the loop
    wait      wait until something happens: a submission, a load or commit that ended, a command that expired

While the lanes serve a tenant (see `lanes.py`), or commands are aside, the next command is never "none".
"""

from typing import Literal

OpenBatch = Literal["empty", "waiting", "late", "due", "heavy"]
AtDatabase = Literal["nothing", "decided", "undecided"]
NextCommand = Literal["none", "waits", "fits"]
Mode = Literal["ahead", "locked"]
Step = Literal["commit", "take", "encode", "gather", "end", "wait"]


def choose_step(
    open_batch: OpenBatch, at_database: AtDatabase, next_command: NextCommand, mode: Mode, *, closing: bool
) -> Step:
    """Return the next step of the loop: see the table above."""
    is_free = at_database == "nothing"
    if open_batch in ("due", "heavy") and is_free:
        return "commit"
    # A batch that is decided at the database leaves nothing that the next one could be decided on.
    if next_command == "fits" and (mode == "locked" or at_database != "undecided"):
        return "take"
    if open_batch == "heavy" and at_database == "decided":
        return "encode"
    if open_batch in ("late", "waiting") and is_free:
        return "commit" if open_batch == "late" else "gather"
    if open_batch == "empty" and is_free and next_command == "none" and closing:
        return "end"
    return "wait"
