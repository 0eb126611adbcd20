"""A bakery: orders over HTTP, which a worker confirms, and a plan every night.

With FastAPI, OpenTelemetry and Sentry, each set up in one file. To try it, with a
beanstalkd (or ``jobqueue devserver``) on its usual port::

    cd examples
    pip install 'jobqueue[cron,reload]' fastapi uvicorn opentelemetry-sdk sentry-sdk
    uvicorn bakery.production:app --reload
    jobqueue worker --import bakery.production --reload   # in another terminal
    curl -X POST 'localhost:8000/orders?customer=Ada&loaves=2'
    jobqueue schedules run plan_baking

Its tests bring a broker of their own::

    pip install pytest httpx
    python -m pytest bakery
"""
