FROM eclipse-temurin:21-jdk AS build
WORKDIR /workspace
COPY mvnw pom.xml ./
COPY .mvn .mvn
RUN --mount=type=cache,target=/root/.m2 ./mvnw dependency:go-offline
COPY src src
RUN --mount=type=cache,target=/root/.m2 ./mvnw package -DskipTests && mkdir -p target/dep && (cd target/dep; jar -xf ../*.jar)
FROM eclipse-temurin:21-jre
ARG DEPENDENCY=/workspace/target/dep
COPY --from=build ${DEPENDENCY}/lib /app/lib
COPY --from=build ${DEPENDENCY}/META-INF /app/META-INF
VOLUME /tmp
HEALTHCHECK --interval=30s --timeout=3s CMD wget -qO- localhost:8080/health || exit 1
ENTRYPOINT ["java","-cp","app:app/lib/*","org.example.Main"]
