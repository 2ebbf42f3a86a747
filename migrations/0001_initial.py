"""The schema of the first release: a frozen copy of the tables, independent of engine.tables."""

# ruff: noqa: F403, F405
from peewee import *


def up(migrator, db):
    class User(Model):
        email = CharField(unique=True)
        name = TextField()
        password = TextField(null=True)
        active = BooleanField(default=True)
        fs_uniquifier = CharField(unique=True, max_length=64)
        language = CharField(max_length=2, default="en")
        last_login_at = BigIntegerField(null=True)
        tf_primary_method = TextField(null=True)
        tf_totp_secret = TextField(null=True)
        stand_in = ForeignKeyField("self", null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "account"

    db.create_tables([User])

    class Absence(Model):
        user = ForeignKeyField(User, on_delete="RESTRICT")
        stand_in = ForeignKeyField(User, on_delete="RESTRICT")
        from_day = IntegerField()
        until_day = IntegerField()
        ended_at = BigIntegerField(null=True)
        by = ForeignKeyField(User, on_delete="RESTRICT")
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "absence"

    db.create_tables([Absence])

    class Entity(Model):
        code = CharField(unique=True)
        name = TextField()
        currency = CharField(max_length=3)
        zone = TextField(default="UTC")
        country = CharField(max_length=2, default="DE")
        region = TextField(null=True)
        portfolio_share_bp = IntegerField(default=500)
        live_from_day = IntegerField(null=True)
        live_after_run = IntegerField(null=True)
        sending = BooleanField(default=False)
        daily_cap = IntegerField(default=50)
        contact_times = TextField(default="{}")
        adopted_day = IntegerField(null=True)
        mail_from = TextField(default="")
        address = TextField(default="")
        account_holder = TextField(default="")
        iban = CharField(max_length=34, default="")
        bic = CharField(max_length=11, default="")
        payment_details = TextField(default="")
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "entity"

    db.create_tables([Entity])

    class CustomerGroup(Model):
        code = CharField(unique=True)
        name = TextField()
        parent = ForeignKeyField("self", null=True)
        currency = CharField(max_length=3)
        limit_minor = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "customer_group"

    db.create_tables([CustomerGroup])

    class Customer(Model):
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        number = TextField()
        name = TextField()
        customer_group = ForeignKeyField(CustomerGroup, null=True, on_delete="RESTRICT")
        country = CharField(null=True, max_length=2)
        language = CharField(max_length=2, default="en")
        portfolio = TextField(null=True)
        terms_days = IntegerField(null=True)
        opened_day = IntegerField(null=True)
        collector = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        consumer = BooleanField(null=True)
        custom = TextField(default="{}")
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "customer"
            indexes = ((("entity", "number"), True), (("name", "id"), False), (("entity", "portfolio"), False))

    db.create_tables([Customer])

    class Run(Model):
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        as_of_day = IntegerField()
        kind = CharField()
        state = CharField()
        acts = BooleanField(default=True)
        starts_by_age = BooleanField(default=False)
        sent_until_day = IntegerField(null=True)
        edition = CharField(null=True, max_length=64)
        policy_key = TextField(default="")
        line_policy_key = TextField(default="")
        facts_sha256 = CharField(null=True, max_length=64)
        facts_file = TextField(null=True)
        lines_sha256 = CharField(null=True, max_length=64)
        lines_file = TextField(null=True)
        invoice_model = CharField(null=True, max_length=64)
        invoices_file = TextField(null=True)
        cash_file = TextField(null=True)
        cash_at = BigIntegerField(null=True)
        customers = IntegerField(default=0)
        changed = IntegerField(default=0)
        lines = IntegerField(default=0)
        lines_changed = IntegerField(default=0)
        applied = IntegerField(default=0)
        undecided = IntegerField(default=0)
        disagreed = IntegerField(default=0)
        seconds = TextField(default="{}")
        approved_by = ForeignKeyField(User, null=True)
        entries_until = TextField(default="{}")
        started_at = BigIntegerField()
        finished_at = BigIntegerField(null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "run"

    db.create_tables([Run])

    class Decision(Model):
        run = ForeignKeyField(Run, on_delete="RESTRICT")
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        line_id = IntegerField(default=0)
        as_of_day = IntegerField()
        edition = CharField(max_length=64)
        changes = TextField()
        facts = TextField()
        confirmed_by = CharField()
        created_at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "decision"
            indexes = ((("as_of_day", "id"), False),)

    db.create_tables([Decision])

    class Action(Model):
        key = CharField(unique=True)
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        line_id = IntegerField(default=0)
        decision = ForeignKeyField(Decision, null=True, on_delete="RESTRICT")
        policy_key = CharField()
        episode = IntegerField()
        step_key = CharField()
        repeat_no = IntegerField(default=0)
        level = IntegerField(default=0)
        channel = CharField()
        otherwise = TextField(default="")
        sends_by = CharField(null=True)
        template = CharField(null=True)
        owner_role = CharField(null=True)
        owner = ForeignKeyField(User, null=True)
        blocks = BooleanField(default=False)
        state = CharField()
        covered_by = ForeignKeyField("self", null=True, on_delete="RESTRICT")
        due_day = IntegerField()
        not_before_at = BigIntegerField(default=0)
        waiting_for = CharField(null=True)
        generation = IntegerField(default=0)
        lease_until_at = BigIntegerField(null=True)
        attempts = IntegerField(default=0)
        body_sha256 = CharField(null=True, max_length=64)
        receipt = TextField(null=True)
        result = TextField(null=True)
        edition_planned = CharField(null=True, max_length=64)
        edition_sent = CharField(null=True, max_length=64)
        created_at = BigIntegerField()
        settled_at = BigIntegerField(null=True)
        settled_by = ForeignKeyField(User, null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "action"
            indexes = (
                (("entity_id", "settled_at"), False),
                (("owner", "state", "due_day", "id"), False),
                (("state", "due_day", "id"), False),
                (("due_day", "id"), False),
                (("level", "id"), False),
            )

    db.create_tables([Action])

    class ActionWait(Model):
        action = ForeignKeyField(Action, on_delete="RESTRICT")
        day = IntegerField()
        why = CharField()
        since_at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "action_wait"
            indexes = ((("action", "day", "why"), True),)

    db.create_tables([ActionWait])

    class Alarm(Model):
        entity_id = IntegerField(null=True)
        customer = ForeignKeyField(Customer, null=True, on_delete="RESTRICT")
        kind = CharField()
        text = TextField()
        raised_at = BigIntegerField()
        acknowledged_by = ForeignKeyField(User, null=True)
        acknowledged_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "alarm"

    db.create_tables([Alarm])

    class Alert(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        alert = CharField()
        rules = TextField()
        facts = TextField()
        decision = ForeignKeyField(Decision, on_delete="RESTRICT")
        since_day = IntegerField()
        over_day = IntegerField(null=True)
        over_decision_id = IntegerField(null=True)
        acknowledged_by = ForeignKeyField(User, null=True)
        acknowledged_at = BigIntegerField(null=True)
        snoozed_by = ForeignKeyField(User, null=True)
        snoozed_until_day = IntegerField(null=True)
        reason = TextField(default="")
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "alert"
            indexes = ((("decision", "alert"), True), (("entity_id", "over_day"), False), (("since_day", "id"), False))

    db.create_tables([Alert])

    class Credit(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        kind = CharField()
        number = TextField(default="")
        reference = TextField(default="")
        identity = CharField(max_length=64)
        revision = IntegerField(default=0)
        amount_minor = BigIntegerField()
        currency = CharField(max_length=3)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "credit"
            indexes = ((("entity_id", "identity", "revision"), True),)

    db.create_tables([Credit])

    class DueLine(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        number = TextField()
        ordinal = IntegerField(default=1)
        identity = CharField(max_length=64)
        revision = IntegerField(default=0)
        invoice_day = IntegerField()
        due_day = IntegerField(null=True)
        amount_minor = BigIntegerField()
        currency = CharField(max_length=3)
        text = TextField(default="")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "due_line"
            indexes = ((("entity_id", "identity", "revision"), True),)

    db.create_tables([DueLine])

    class Allocation(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        credit = ForeignKeyField(Credit, on_delete="RESTRICT")
        due_line = ForeignKeyField(DueLine, on_delete="RESTRICT")
        amount_minor = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "allocation"

    db.create_tables([Allocation])

    class Dispute(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        due_line = ForeignKeyField(DueLine, on_delete="RESTRICT")
        amount_minor = BigIntegerField(null=True)
        cause = CharField(default="other")
        reason = TextField()
        owner_role = TextField(default="sales")
        owner = IntegerField(null=True)
        deadline_day = IntegerField(null=True)
        first_id = IntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "dispute"

    db.create_tables([Dispute])

    class Person(Model):
        sealed = BlobField()
        key_sealed = BlobField(null=True)
        erased_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "person"

    db.create_tables([Person])

    class AnswerLink(Model):
        dispute = ForeignKeyField(Dispute, on_delete="RESTRICT")
        person = ForeignKeyField(Person, on_delete="RESTRICT")
        user = ForeignKeyField(User, null=True)
        token_sha256 = CharField(unique=True, max_length=64)
        sealed = BlobField(null=True)
        asked_by = IntegerField(null=True)
        asked_at = BigIntegerField()
        expires_at = BigIntegerField()
        answered_at = BigIntegerField(null=True)
        withdrawn_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "answer_link"

    db.create_tables([AnswerLink])

    class AuditEntry(Model):
        at = BigIntegerField()
        actor_id = IntegerField(null=True)
        command = CharField()
        entity_id = IntegerField(null=True)
        subject_kind = CharField()
        subject_id = CharField()
        before = TextField(null=True)
        after = TextField(null=True)
        reason = TextField()
        previous_hash = CharField(max_length=64)
        hash = CharField(unique=True, max_length=64)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "audit_entry"
            indexes = ((("command", "at"), False),)

    db.create_tables([AuditEntry])

    class LetterBatch(Model):
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        until_day = IntegerField()
        sorted_by = CharField()
        trial = BooleanField(default=False)
        letters = IntegerField()
        state = CharField(default="closed")
        closed_by = ForeignKeyField(User, on_delete="RESTRICT")
        closed_at = BigIntegerField()
        posted_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        posted_at = BigIntegerField(null=True)
        evidence = TextField(null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "letter_batch"
            indexes = ((("entity", "id"), False),)

    db.create_tables([LetterBatch])

    class BatchLetter(Model):
        batch = ForeignKeyField(LetterBatch, on_delete="RESTRICT")
        action = ForeignKeyField(Action, unique=True, on_delete="RESTRICT")
        position = IntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "batch_letter"
            indexes = ((("batch", "position"), True),)

    db.create_tables([BatchLetter])

    class Block(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        kind = CharField()
        due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")
        from_day = IntegerField()
        until_day = IntegerField(null=True)
        reason = TextField()
        by = IntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "block"

    db.create_tables([Block])

    class ClaimEntry(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        kind = CharField()
        part = CharField(default="")
        due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")
        amount_minor = BigIntegerField()
        currency = CharField(max_length=3)
        from_day = IntegerField(null=True)
        until_day = IntegerField(null=True)
        regime = CharField(max_length=64, default="")
        reason = TextField(default="")
        by = IntegerField(null=True)
        approved_by = IntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "claim_entry"

    db.create_tables([ClaimEntry])

    class ClockMark(Model):
        seen_at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "clock_mark"

    db.create_tables([ClockMark])

    class CommandRecord(Model):
        key = CharField(unique=True)
        name = CharField()
        body_sha256 = CharField(max_length=64)
        answer = TextField()
        at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "command_record"

    db.create_tables([CommandRecord])

    class Contact(Model):
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        person = ForeignKeyField(Person, on_delete="RESTRICT")
        role = TextField(default="accounts payable")
        language = CharField(max_length=2, default="en")
        usable = BooleanField(default=True)
        refused = TextField(default="")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "contact"

    db.create_tables([Contact])

    class CreditLimit(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        amount_minor = BigIntegerField(null=True)
        from_day = IntegerField()
        until_day = IntegerField(null=True)
        approved_by = IntegerField(null=True)
        reason = TextField(default="")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "credit_limit"

    db.create_tables([CreditLimit])

    class CustomerWord(Model):
        word = BlobField()
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "customer_word"
            primary_key = CompositeKey("word", "customer")

    db.create_tables([CustomerWord])

    class DayReplay(Model):
        run = ForeignKeyField(Run, on_delete="RESTRICT")
        asked_by = ForeignKeyField(User, on_delete="RESTRICT")
        asked_at = BigIntegerField()
        finished_at = BigIntegerField(index=True, null=True)
        decisions = IntegerField(default=0)
        from_own_facts = IntegerField(default=0)
        found = IntegerField(default=0)
        differences = TextField(default="[]")
        failed = TextField(default="")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "day_replay"

    db.create_tables([DayReplay])

    class DirtyCustomer(Model):
        customer = ForeignKeyField(Customer, primary_key=True, on_delete="RESTRICT")
        entity_id = IntegerField()
        since_at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "dirty_customer"

    db.create_tables([DirtyCustomer])

    class DisputeClosing(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        dispute = ForeignKeyField(Dispute, unique=True, on_delete="RESTRICT")
        outcome = CharField()
        accepted_minor = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "dispute_closing"

    db.create_tables([DisputeClosing])

    class DisputeStep(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        dispute = ForeignKeyField(Dispute, on_delete="RESTRICT")
        kind = CharField()
        text = TextField()
        owner_role = TextField(null=True)
        owner = IntegerField(null=True)
        deadline_day = IntegerField(null=True)
        by = IntegerField(null=True)
        link_id = IntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "dispute_step"

    db.create_tables([DisputeStep])

    class Document(Model):
        kind = CharField()
        key = CharField()
        stage = CharField(null=True)
        subject = CharField(null=True)
        entity = ForeignKeyField(Entity, null=True, on_delete="RESTRICT")
        sha256 = CharField(index=True, max_length=64)
        body = TextField()
        status = CharField()
        from_day = IntegerField(null=True)
        until_day = IntegerField(null=True)
        reason = TextField(default="")
        impact = TextField(null=True)
        replaces = CharField(null=True, max_length=64)
        drafted_by = ForeignKeyField(User, null=True)
        authors = TextField(default="[]")
        undo = TextField(default="[]")
        proposed_by = ForeignKeyField(User, null=True)
        proposed_at = BigIntegerField(null=True)
        approved_by = ForeignKeyField(User, null=True)
        approved_at = BigIntegerField(null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "document"

    db.create_tables([Document])

    class DocumentComment(Model):
        document = ForeignKeyField(Document, on_delete="RESTRICT")
        by = ForeignKeyField(User, on_delete="RESTRICT")
        at = BigIntegerField()
        place = CharField(null=True)
        about = CharField(null=True)
        text = TextField()
        settles = ForeignKeyField("self", null=True, on_delete="RESTRICT")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "document_comment"

    db.create_tables([DocumentComment])

    class DocumentContent(Model):
        sha256 = CharField(primary_key=True, max_length=64)
        sealed = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "document_content"

    db.create_tables([DocumentContent])

    class Door(Model):
        name = CharField(unique=True)
        window_at = BigIntegerField(default=0)
        used = IntegerField(default=0)
        failures = IntegerField(default=0)
        rests_until_at = BigIntegerField(null=True)
        last_success_at = BigIntegerField(null=True)
        last_failure_at = BigIntegerField(null=True)
        last_error = TextField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "door"

    db.create_tables([Door])

    class EditedText(Model):
        action = ForeignKeyField(Action, unique=True, on_delete="RESTRICT")
        person = ForeignKeyField(Person, on_delete="RESTRICT")
        language = CharField(max_length=2)
        template_sha256 = CharField(max_length=64)
        sealed = BlobField()
        by = ForeignKeyField(User, on_delete="RESTRICT")
        at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "edited_text"

    db.create_tables([EditedText])

    class Edition(Model):
        sha256 = CharField(primary_key=True, max_length=64)
        body = TextField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "edition"

    db.create_tables([Edition])

    class ExchangeRate(Model):
        base = CharField(max_length=3)
        currency = CharField(max_length=3)
        day = IntegerField()
        rate_e9 = BigIntegerField()
        source = TextField()
        recorded_at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "exchange_rate"
            indexes = ((("base", "currency", "day"), True),)

    db.create_tables([ExchangeRate])

    class FinancialStatement(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        period_end_day = IntegerField()
        months = IntegerField(default=12)
        consolidated = IntegerField(default=0)
        audited = IntegerField(null=True)
        filed_day = IntegerField(null=True)
        source = TextField(default="")
        currency = CharField(max_length=3)
        revenue_minor = BigIntegerField(null=True)
        operating_result_minor = BigIntegerField(null=True)
        net_result_minor = BigIntegerField(null=True)
        operating_cash_flow_minor = BigIntegerField(null=True)
        total_assets_minor = BigIntegerField(null=True)
        current_assets_minor = BigIntegerField(null=True)
        inventories_minor = BigIntegerField(null=True)
        cash_minor = BigIntegerField(null=True)
        equity_minor = BigIntegerField(null=True)
        current_liabilities_minor = BigIntegerField(null=True)
        total_debt_minor = BigIntegerField(null=True)
        interest_cost_minor = BigIntegerField(null=True)
        employees = IntegerField(null=True)
        identity = CharField(max_length=64)
        revision = IntegerField(default=0)
        by = IntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "financial_statement"
            indexes = ((("entity_id", "identity", "revision"), True),)

    db.create_tables([FinancialStatement])

    class GatewayAddress(Model):
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        url = TextField()
        sha256 = CharField(max_length=64)
        state = CharField(default="proposed")
        proposed_by = ForeignKeyField(User, on_delete="RESTRICT")
        proposed_at = BigIntegerField()
        approved_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        approved_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "gateway_address"

    db.create_tables([GatewayAddress])

    class GoLive(Model):
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        start_level = CharField()
        daily_cap = IntegerField()
        preview = TextField()
        state = CharField()
        proposed_by = ForeignKeyField(User)
        proposed_at = BigIntegerField()
        approved_by = ForeignKeyField(User, null=True)
        approved_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "go_live"

    db.create_tables([GoLive])

    class HandOver(Model):
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        target = CharField()
        recipient = TextField()
        reason = TextField()
        state = CharField()
        proposed_by = ForeignKeyField(User, on_delete="RESTRICT")
        proposed_at = BigIntegerField()
        settled_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        handed_day = IntegerField(null=True)
        block = ForeignKeyField(Block, null=True, on_delete="RESTRICT")
        figures = TextField(default="{}")
        recovered = TextField(default="{}")
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "hand_over"

    db.create_tables([HandOver])

    class HandOverNote(Model):
        hand_over = ForeignKeyField(HandOver, on_delete="RESTRICT")
        state = CharField()
        amount_minor = BigIntegerField(null=True)
        currency = CharField(null=True, max_length=3)
        text = TextField()
        by = ForeignKeyField(User, on_delete="RESTRICT")
        at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "hand_over_note"

    db.create_tables([HandOverNote])

    class Import(Model):
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        mapping = TextField()
        file_name = TextField()
        file_sha256 = CharField(max_length=64)
        history_until_day = IntegerField(null=True)
        rows_read = IntegerField()
        entries_posted = IntegerField()
        entries_known = IntegerField()
        warnings = TextField(default="[]")
        recorded_at = BigIntegerField()
        by = ForeignKeyField(User, null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "import"

    db.create_tables([Import])

    class PaymentPlan(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        total_minor = BigIntegerField()
        currency = CharField(max_length=3)
        reason = TextField()
        agreed_by = IntegerField(null=True)
        approved_by = IntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "payment_plan"

    db.create_tables([PaymentPlan])

    class Instalment(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        plan = ForeignKeyField(PaymentPlan, on_delete="RESTRICT")
        due_day = IntegerField()
        amount_minor = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "instalment"

    db.create_tables([Instalment])

    class InvoiceDocument(Model):
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        number = TextField()
        name = TextField()
        sha256 = CharField(max_length=64)
        size = IntegerField()
        added_at = BigIntegerField()
        added_by = ForeignKeyField(User, null=True)
        removed_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "invoice_document"
            indexes = ((("customer", "number", "sha256"), True),)

    db.create_tables([InvoiceDocument])

    class Mailbox(Model):
        name = CharField(unique=True)
        uid_validity = BigIntegerField(default=0)
        last_uid = BigIntegerField(default=0)
        next_read_at = BigIntegerField(default=0)
        last_read_at = BigIntegerField(null=True)
        failures = IntegerField(default=0)
        last_failure_at = BigIntegerField(null=True)
        last_error = CharField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "mailbox"

    db.create_tables([Mailbox])

    class Note(Model):
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        person = ForeignKeyField(Person, on_delete="RESTRICT")
        sealed = BlobField()
        action = ForeignKeyField(Action, null=True, on_delete="RESTRICT")
        by = ForeignKeyField(User, on_delete="RESTRICT")
        at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "note"
            indexes = ((("customer", "id"), False),)

    db.create_tables([Note])

    class Mention(Model):
        note = ForeignKeyField(Note, on_delete="RESTRICT")
        user = ForeignKeyField(User, on_delete="RESTRICT")
        seen_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "mention"
            indexes = ((("note", "user"), True), (("user", "seen_at", "id"), False))

    db.create_tables([Mention])

    class Message(Model):
        action = ForeignKeyField(Action, unique=True, on_delete="RESTRICT")
        person = ForeignKeyField(Person, on_delete="RESTRICT")
        message_id = CharField(unique=True)
        sealed = BlobField()
        body_sha256 = CharField(max_length=64)
        template_sha256 = CharField(max_length=64, default="")
        gateway = CharField()
        composed_at = BigIntegerField()
        sent_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "message"

    db.create_tables([Message])

    class Outcome(Model):
        customer = ForeignKeyField(Customer, primary_key=True, on_delete="RESTRICT")
        entity_id = IntegerField(index=True)
        points = IntegerField(null=True)
        risk_class = CharField(null=True)
        segment = CharField(null=True)
        proposed_limit_minor = BigIntegerField(null=True)
        proposed_terms_days = IntegerField(null=True)
        hold = BooleanField(default=False)
        hold_reason = CharField(null=True)
        level = IntegerField(default=0)
        step = CharField(null=True)
        worklist_points = IntegerField(null=True)
        alert = TextField(null=True)
        run_id = IntegerField()
        decision_id = IntegerField(null=True)
        as_of_day = IntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "outcome"
            indexes = (
                (("worklist_points", "customer"), False),
                (("segment", "customer"), False),
                (("risk_class", "customer"), False),
                (("level", "customer"), False),
                (("hold", "customer"), False),
                (("entity_id", "segment"), False),
                (("entity_id", "risk_class"), False),
            )

    db.create_tables([Outcome])

    class Override(Model):
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        target = CharField()
        value = TextField(null=True)
        from_day = IntegerField()
        until_day = IntegerField()
        reason = TextField()
        by = ForeignKeyField(User)
        approved_by = ForeignKeyField(User, null=True)
        approved_at = BigIntegerField(null=True)
        needs_approval = BooleanField(default=False)
        ended_day = IntegerField(null=True)
        created_at = BigIntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "override"

    db.create_tables([Override])

    class PlanLine(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        plan = ForeignKeyField(PaymentPlan, on_delete="RESTRICT")
        due_line = ForeignKeyField(DueLine, on_delete="RESTRICT")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "plan_line"

    db.create_tables([PlanLine])

    class PolicyStop(Model):
        policy_key = CharField(index=True)
        stage = CharField()
        entity = ForeignKeyField(Entity, null=True, on_delete="RESTRICT")
        reason = TextField()
        stopped_by = ForeignKeyField(User)
        stopped_at = BigIntegerField()
        resume_reason = TextField(null=True)
        resume_by = ForeignKeyField(User, null=True)
        resume_at = BigIntegerField(null=True)
        approved_by = ForeignKeyField(User, null=True)
        over_at = BigIntegerField(null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "policy_stop"

    db.create_tables([PolicyStop])

    class Promise(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        due_line = ForeignKeyField(DueLine, null=True, on_delete="RESTRICT")
        amount_minor = BigIntegerField()
        currency = CharField(max_length=3)
        promised_day = IntegerField()
        after_credit_id = IntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "promise"

    db.create_tables([Promise])

    class Proposal(Model):
        kind = CharField()
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        body = TextField()
        sha256 = CharField(max_length=64)
        reason = TextField()
        state = CharField(default="proposed")
        proposed_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        proposed_at = BigIntegerField()
        decided_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        decided_at = BigIntegerField(null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "proposal"

    db.create_tables([Proposal])

    class Rating(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        agency = TextField()
        scale = TextField(default="")
        grade = TextField(default="")
        score = IntegerField(null=True)
        pd_bp = IntegerField(null=True)
        limit_minor = BigIntegerField(null=True)
        currency = CharField(max_length=3, default="")
        identity = CharField(max_length=64)
        revision = IntegerField(default=0)
        by = IntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "rating"
            indexes = ((("entity_id", "identity", "revision"), True),)

    db.create_tables([Rating])

    class ReceivedMail(Model):
        mailbox = ForeignKeyField(Mailbox, on_delete="RESTRICT")
        uid_validity = BigIntegerField()
        uid = BigIntegerField()
        identity = CharField(unique=True, max_length=64)
        received_at = BigIntegerField()
        kind = CharField()
        status = CharField(default="")
        state = CharField()
        action = ForeignKeyField(Action, null=True, on_delete="RESTRICT")
        customer = ForeignKeyField(Customer, null=True, on_delete="RESTRICT")
        task = ForeignKeyField(Action, null=True, on_delete="RESTRICT")
        person = ForeignKeyField(Person, on_delete="RESTRICT")
        sealed = BlobField()
        settled_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        settled_at = BigIntegerField(null=True)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "received_mail"
            indexes = (
                (("mailbox", "uid_validity", "uid"), True),
                (("customer", "id"), False),
                (("state", "id"), False),
            )

    db.create_tables([ReceivedMail])

    class Reversal(Model):
        entity_id = IntegerField()
        customer = ForeignKeyField(Customer, field=Customer.id, on_delete="RESTRICT")
        booked_day = IntegerField()
        recorded_day = IntegerField()
        recorded_at = BigIntegerField()
        import_id = IntegerField(null=True)
        target = CharField()
        target_id = IntegerField()
        reason = TextField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "reversal"
            indexes = ((("target", "target_id"), True),)

    db.create_tables([Reversal])

    class RoleProposal(Model):
        user = ForeignKeyField(User, on_delete="RESTRICT")
        role = CharField()
        state = CharField(default="proposed")
        proposed_by = ForeignKeyField(User, on_delete="RESTRICT")
        proposed_at = BigIntegerField()
        approved_by = ForeignKeyField(User, null=True, on_delete="RESTRICT")
        approved_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "role_proposal"

    db.create_tables([RoleProposal])

    class SavedView(Model):
        user = ForeignKeyField(User, on_delete="RESTRICT")
        page = CharField()
        name = TextField()
        arguments = TextField()
        shared = BooleanField(default=False)
        version = IntegerField(default=1)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "saved_view"
            indexes = ((("user", "page", "name"), True), (("page", "shared"), False))

    db.create_tables([SavedView])

    class ScoreModel(Model):
        task = CharField()
        sha256 = CharField(unique=True, max_length=64)
        body = TextField()
        card = TextField()
        status = CharField()
        trained_day = IntegerField()
        created_at = BigIntegerField()
        trained_by = ForeignKeyField(User, null=True)
        proposed_by = ForeignKeyField(User, null=True)
        proposed_at = BigIntegerField(null=True)
        approved_by = ForeignKeyField(User, null=True)
        approved_at = BigIntegerField(null=True)
        measured = TextField(default="")
        promoted = TextField(default="")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "score_model"

    db.create_tables([ScoreModel])

    class Standing(Model):
        customer = ForeignKeyField(Customer, on_delete="RESTRICT")
        line_id = IntegerField(default=0)
        entity_id = IntegerField()
        policy_key = CharField()
        episode = IntegerField(default=0)
        open = BooleanField(default=False)
        leader_line_id = IntegerField(null=True)
        leader_due_day = IntegerField(null=True)
        level = IntegerField(default=0)
        step_key = CharField(null=True)
        repeat_no = IntegerField(default=0)
        since_day = IntegerField(null=True)
        last_contact_day = IntegerField(null=True)
        next_step = CharField(null=True)
        next_day = IntegerField(null=True)
        waiting_for = TextField(default="[]")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "standing"
            indexes = ((("customer", "policy_key", "line_id"), True),)

    db.create_tables([Standing])

    class TermsProposal(Model):
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        terms = TextField()
        reason = TextField()
        state = CharField()
        proposed_by = ForeignKeyField(User)
        proposed_at = BigIntegerField()
        approved_by = ForeignKeyField(User, null=True)
        approved_at = BigIntegerField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "terms_proposal"

    db.create_tables([TermsProposal])

    class Training(Model):
        key = CharField(unique=True)
        task = CharField()
        what = CharField()
        model = ForeignKeyField(ScoreModel, null=True)
        as_of_day = IntegerField()
        grace_days = IntegerField(default=0)
        asked_by = ForeignKeyField(User, null=True)
        asked_at = BigIntegerField()
        started_at = BigIntegerField(null=True)
        tries = IntegerField(default=0)
        step = CharField(default="")
        done = IntegerField(default=0)
        parts = IntegerField(default=0)
        rows_read = IntegerField(default=0)
        finished_at = BigIntegerField(index=True, null=True)
        failed = TextField(default="")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "training"

    db.create_tables([Training])

    class UserRole(Model):
        user = ForeignKeyField(User, on_delete="RESTRICT")
        role = CharField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "user_role"
            indexes = ((("user", "role"), True),)

    db.create_tables([UserRole])

    class UserScope(Model):
        user = ForeignKeyField(User, on_delete="RESTRICT")
        entity = ForeignKeyField(Entity, on_delete="RESTRICT")
        portfolio = TextField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "user_scope"

    db.create_tables([UserScope])

    class Verification(Model):
        night = IntegerField(unique=True, null=True)
        started_at = BigIntegerField()
        finished_at = BigIntegerField(null=True)
        seconds = IntegerField(default=0)
        problems = IntegerField(default=0)
        checks = TextField(default="[]")

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "verification"

    db.create_tables([Verification])

    class WatchedRun(Model):
        run = ForeignKeyField(Run, unique=True, on_delete="RESTRICT")
        entity_id = IntegerField()
        as_of_day = IntegerField()
        model = CharField(max_length=64)
        reference = TextField(null=True)
        figures = TextField()
        outcome = TextField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "watched_run"
            indexes = ((("entity_id", "as_of_day"), False),)

    db.create_tables([WatchedRun])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("watched_run"))
    migrator.migrate(migrator.drop_table("verification"))
    migrator.migrate(migrator.drop_table("user_scope"))
    migrator.migrate(migrator.drop_table("user_role"))
    migrator.migrate(migrator.drop_table("training"))
    migrator.migrate(migrator.drop_table("terms_proposal"))
    migrator.migrate(migrator.drop_table("standing"))
    migrator.migrate(migrator.drop_table("score_model"))
    migrator.migrate(migrator.drop_table("saved_view"))
    migrator.migrate(migrator.drop_table("role_proposal"))
    migrator.migrate(migrator.drop_table("reversal"))
    migrator.migrate(migrator.drop_table("received_mail"))
    migrator.migrate(migrator.drop_table("rating"))
    migrator.migrate(migrator.drop_table("proposal"))
    migrator.migrate(migrator.drop_table("promise"))
    migrator.migrate(migrator.drop_table("policy_stop"))
    migrator.migrate(migrator.drop_table("plan_line"))
    migrator.migrate(migrator.drop_table("override"))
    migrator.migrate(migrator.drop_table("outcome"))
    migrator.migrate(migrator.drop_table("message"))
    migrator.migrate(migrator.drop_table("mention"))
    migrator.migrate(migrator.drop_table("note"))
    migrator.migrate(migrator.drop_table("mailbox"))
    migrator.migrate(migrator.drop_table("invoice_document"))
    migrator.migrate(migrator.drop_table("instalment"))
    migrator.migrate(migrator.drop_table("payment_plan"))
    migrator.migrate(migrator.drop_table("import"))
    migrator.migrate(migrator.drop_table("hand_over_note"))
    migrator.migrate(migrator.drop_table("hand_over"))
    migrator.migrate(migrator.drop_table("go_live"))
    migrator.migrate(migrator.drop_table("gateway_address"))
    migrator.migrate(migrator.drop_table("financial_statement"))
    migrator.migrate(migrator.drop_table("exchange_rate"))
    migrator.migrate(migrator.drop_table("edition"))
    migrator.migrate(migrator.drop_table("edited_text"))
    migrator.migrate(migrator.drop_table("door"))
    migrator.migrate(migrator.drop_table("document_content"))
    migrator.migrate(migrator.drop_table("document_comment"))
    migrator.migrate(migrator.drop_table("document"))
    migrator.migrate(migrator.drop_table("dispute_step"))
    migrator.migrate(migrator.drop_table("dispute_closing"))
    migrator.migrate(migrator.drop_table("dirty_customer"))
    migrator.migrate(migrator.drop_table("day_replay"))
    migrator.migrate(migrator.drop_table("customer_word"))
    migrator.migrate(migrator.drop_table("credit_limit"))
    migrator.migrate(migrator.drop_table("contact"))
    migrator.migrate(migrator.drop_table("command_record"))
    migrator.migrate(migrator.drop_table("clock_mark"))
    migrator.migrate(migrator.drop_table("claim_entry"))
    migrator.migrate(migrator.drop_table("block"))
    migrator.migrate(migrator.drop_table("batch_letter"))
    migrator.migrate(migrator.drop_table("letter_batch"))
    migrator.migrate(migrator.drop_table("audit_entry"))
    migrator.migrate(migrator.drop_table("answer_link"))
    migrator.migrate(migrator.drop_table("person"))
    migrator.migrate(migrator.drop_table("dispute"))
    migrator.migrate(migrator.drop_table("allocation"))
    migrator.migrate(migrator.drop_table("due_line"))
    migrator.migrate(migrator.drop_table("credit"))
    migrator.migrate(migrator.drop_table("alert"))
    migrator.migrate(migrator.drop_table("alarm"))
    migrator.migrate(migrator.drop_table("action_wait"))
    migrator.migrate(migrator.drop_table("action"))
    migrator.migrate(migrator.drop_table("decision"))
    migrator.migrate(migrator.drop_table("run"))
    migrator.migrate(migrator.drop_table("customer"))
    migrator.migrate(migrator.drop_table("customer_group"))
    migrator.migrate(migrator.drop_table("entity"))
    migrator.migrate(migrator.drop_table("absence"))
    migrator.migrate(migrator.drop_table("account"))
