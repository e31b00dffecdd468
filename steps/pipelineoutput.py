"""The job's result in SQL."""

from imaginem import JobContext, JobResult, StepOutput, step


class Written(StepOutput):
    """The output of a step that has written the result."""

    done: bool


@step(finalizer=True)
def pipelineoutput(job: JobContext) -> Written:
    """Write the job to SQL, with every large output inlined."""
    job.results.save(
        JobResult(
            batch_id=job.batch_id,
            id=job.job_id,
            processing_pipeline=job.pipeline,
            image_url=job.image_url,
            image_parameters=job.image_parameters,
            photo_url=job.photo_url,
            job_output=job.outputs,
            unsuccessful=job.unsuccessful,
            made=job.made,
        )
    )
    return Written(done=True)
